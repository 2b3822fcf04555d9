"""Mutants against the tests that run their lines, in a child of the process that has them all.

The child gives the functions that exist their mutated code, so that nothing is imported or
collected again: what a mutant costs is its tests up to the first that fails.
"""

import gc
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import _lru_cache_wrapper
from types import CodeType, FunctionType
from typing import NamedTuple

import pytest

from tests.mutation.mutants import Module, Mutant, functions
from tests.mutation.runner import Runner, quiet

SURVIVED, KILLED, UNREACHED = b"SKU"
_GRACE = 4  # seconds, and so many times what the tests cost


class Trial(NamedTuple):
    """A mutant, the tests that may kill it, and what they cost without it in seconds."""

    mutant: Mutant
    items: Sequence[pytest.Item]
    seconds: float


class Child(NamedTuple):
    """A process that tries mutants one after the other."""

    process: int
    results: int
    trials: Sequence[Trial]

    def outcome(self) -> tuple[bytes, Sequence[Trial]]:
        """Return the results once it has ended, and what it did not come to.

        A mutant that ended its process is killed; it is in the results.
        """
        with os.fdopen(self.results, "rb") as results:
            found = results.read()
        if len(found) < len(self.trials):
            found += bytes([KILLED])
        return found, self.trials[len(found) :]


class Live:
    """The functions and caches that exist, once every test was run."""

    def __init__(self) -> None:
        gc.collect()
        self._functions: dict[str, list[FunctionType]] = defaultdict(list)
        self._caches: list[_lru_cache_wrapper[object]] = []
        for item in gc.get_objects():
            if type(item) is FunctionType:
                self._functions[item.__code__.co_filename].append(item)
            elif type(item) is _lru_cache_wrapper:
                self._caches.append(item)

    @contextmanager
    def mutated(self, module: Module, mutant: Mutant) -> Iterator[bool]:
        """Change every function that the mutant changes for a while; False where there is none."""
        path = str(module.path.resolve())
        old = functions(module.code, path)
        new = functions(module.mutated(mutant), path)
        changed = {code: new[place] for place, code in old.items() if new.get(place, code) != code}
        before: list[tuple[FunctionType, CodeType]] = [
            (item, item.__code__) for item in self._functions[path] if item.__code__ in changed
        ]
        for item, code in before:
            item.__code__ = changed[code]
        for cache in self._caches:
            cache.cache_clear()
        yield bool(before)
        for item, code in before:
            item.__code__ = code


def begin(live: Live, runner: Runner, module: Module, trials: Sequence[Trial]) -> Child:
    """Start a process that tries mutants of a module.

    A mutant that takes far more than its tests' seconds ends the process, and so may one
    that needs much memory.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if child:
        os.close(writable)
        return Child(child, readable, trials)
    quiet()
    kills: Counter[str] = Counter()
    for trial in trials:
        signal.setitimer(signal.ITIMER_PROF, _GRACE + _GRACE * trial.seconds)
        with live.mutated(module, trial.mutant) as reached:
            result = _result(runner, trial, kills) if reached else UNREACHED
        os.write(writable, bytes([result]))
    os._exit(0)


def _result(runner: Runner, trial: Trial, kills: Counter[str]) -> int:
    """Run the tests, those that killed the mutants before first."""
    for item in sorted(trial.items, key=lambda item: -kills[item.nodeid]):
        try:
            failed = bool(runner.failure(item))
        except BaseException:  # noqa: BLE001 - what a mutant throws through pytest kills it
            failed = True
        if failed:
            kills[item.nodeid] += 1
            return KILLED
    return SURVIVED
