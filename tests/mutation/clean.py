"""The clean run: every test once, to learn which lines it runs and what it costs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import coverage
import pytest

from tests.mutation.runner import Runner

_IMPORTED = ""  # coverage's name for what runs before the first test


class Clean:
    """Which tests run a line, and what they cost; those that fail without a mutant stay out."""

    def __init__(
        self, measured: coverage.Coverage, runner: Runner, items: Sequence[pytest.Item]
    ) -> None:
        self.failed: dict[str, str] = {}
        self._items: dict[str, pytest.Item] = {}
        for item, following in zip(items, [*items[1:], None], strict=True):
            measured.switch_context(item.nodeid)
            if why := runner.failure(item, following):
                self.failed[item.nodeid] = why
            else:
                self._items[item.nodeid] = item
        measured.stop()
        self._data = measured.get_data()
        self._lines: dict[str, dict[int, list[str]]] = defaultdict(dict)
        self.seconds = runner.alike(list(self._items.values()))
        for name in self._items.keys() - self.seconds.keys():
            self.failed[name] = "passed, and failed in a child"

    def running(self, path: Path, lines: Iterable[int] | None, seconds: float) -> list[pytest.Item]:
        """Return the tests that run one of the lines and take at most so many seconds together.

        Without lines, those that run any of the file. Those whose file is named after the
        module come first, then the cheapest.
        """
        words = set(path.with_suffix("").parts[1:])  # every test is one of the policy
        named = {
            name: bool(words & set(self._items[name].path.stem.split("_")))
            for name in self._contexts(path, lines) & self.seconds.keys()
        }
        known = sorted(named, key=lambda name: (not named[name], self.seconds[name], name))
        found = []
        for name in known:
            if self.seconds[name] <= seconds:
                seconds -= self.seconds[name]
                found.append(self._items[name])
        return found

    def imported(self, path: Path, lines: Iterable[int]) -> bool:
        """Whether one of the lines runs before the first test."""
        return _IMPORTED in self._contexts(path, lines)

    def _contexts(self, path: Path, lines: Iterable[int] | None) -> set[str]:
        where = str(path.resolve())
        if where not in self._lines:
            self._lines[where] = self._data.contexts_by_lineno(where)
        known = self._lines[where]
        wanted = known if lines is None else lines
        return {name for line in wanted for name in known.get(line, ())}
