"""Mutants against the tests that run their lines, in a child of the process that has them all.

The child gives the functions that exist their mutated code, so that nothing is imported or
collected again: what a mutant costs is its tests up to the first that fails.
"""

import gc
import os
import resource
import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import _lru_cache_wrapper
from types import CodeType, FunctionType
from typing import NamedTuple

import pytest

from tests.mutation.clean import Runner
from tests.mutation.mutants import Module, Mutant, functions

SURVIVED, KILLED, UNREACHED = b"SKU"
_MEMORY = 8 << 30
_GRACE = 5  # seconds, and so many times what the tests cost


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
    _quiet()
    for trial in trials:
        signal.setitimer(signal.ITIMER_PROF, _GRACE + _GRACE * trial.seconds)
        os.write(writable, bytes([_result(live, runner, module, trial)]))
    os._exit(0)


def _result(live: Live, runner: Runner, module: Module, trial: Trial) -> int:
    with live.mutated(module, trial.mutant) as reached:
        if not reached:
            return UNREACHED
        try:
            return KILLED if any(map(runner.failure, trial.items)) else SURVIVED
        except BaseException:  # noqa: BLE001 - what a mutant throws through pytest kills it
            return KILLED


def _quiet() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
