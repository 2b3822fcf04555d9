"""What the payload formats of a key say of each action that its grants may name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from policy.contracts import PinnedCall
from policy.model import Format


class Action(NamedTuple):
    """What the formats that have an action say of it together, as in ``Format``."""

    on_chain: bool
    pays_gas: bool
    names_source: bool
    lifetime_ms: int | None


class Actions:
    """The actions of keys, by the formats that they take; each set of those is read once."""

    def __init__(self, formats: Mapping[str, Format], calls: Iterable[PinnedCall]) -> None:
        self.formats = formats
        self._calls = frozenset(call.action for call in calls)
        self._read: dict[tuple[str, ...], dict[str, Action]] = {}

    def of(self, tags: Sequence[str]) -> Mapping[str, Action]:
        """Return the actions of these formats, by name; a tag that is unknown has none."""
        key = tuple(tags)
        if key not in self._read:
            self._read[key] = self._of([self.formats[tag] for tag in key if tag in self.formats])
        return self._read[key]

    def owner(self, action: str) -> str | None:
        """Return a format that has the action."""
        return next((tag for tag, form in self.formats.items() if action in form.actions), None)

    def _of(self, forms: list[Format]) -> dict[str, Action]:
        found: dict[str, list[Format]] = {}
        for form in forms:
            for action in form.actions | (self._calls if form.calls else frozenset()):
                found.setdefault(action, []).append(form)
        return {action: _together(theirs) for action, theirs in found.items()}


def _together(forms: list[Format]) -> Action:
    lifetimes = [form.lifetime_ms for form in forms if form.lifetime_ms is not None]
    return Action(
        on_chain=any(form.on_chain for form in forms),
        pays_gas=any(form.pays_gas for form in forms),
        names_source=any(form.names_source for form in forms),
        lifetime_ms=min(lifetimes, default=None),
    )
