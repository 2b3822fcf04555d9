"""One mutant against the tests that run its lines, in a child of the process that has them all.

The child gives the functions that exist their mutated code, so that nothing is imported or
collected again: what a mutant costs is a fork, and its tests up to the first that fails.
"""

import gc
import os
import resource
import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import _lru_cache_wrapper
from types import FunctionType

import pytest

from tests.mutation.clean import Runner
from tests.mutation.mutants import Module, Mutant, functions

SURVIVED, KILLED, UNREACHED = 0, 1, 2
_MEMORY = 8 << 30
_GRACE = 5  # seconds, and so many times what the tests cost


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
        gc.freeze()  # children share the pages of what never changes

    def mutate(self, module: Module, mutant: Mutant) -> bool:
        """Change every function that the mutant changes; False where there is none."""
        path = str(module.path.resolve())
        old = functions(module.code, path)
        new = functions(module.mutated(mutant), path)
        changed = {code: new[place] for place, code in old.items() if new.get(place, code) != code}
        found = [item for item in self._functions[path] if item.__code__ in changed]
        for item in found:
            item.__code__ = changed[item.__code__]
        for cache in self._caches:
            cache.cache_clear()
        return bool(found)


def begin(
    live: Live,
    runner: Runner,
    module: Module,
    mutant: Mutant,
    items: Sequence[pytest.Item],
    seconds: float,
) -> int:
    """Fork a child that tries the mutant, and return its process id.

    It exits with SURVIVED, KILLED, or UNREACHED where no function that exists is changed.
    A mutant that takes far more than ``seconds`` is killed by its limits.
    """
    child = os.fork()
    if child:
        return child
    with _last_words():
        _limit(seconds)
        if not live.mutate(module, mutant):
            os._exit(UNREACHED)
        following = [*items[1:], None]
        for item, after in zip(items, following, strict=True):
            if runner.failure(item, after):
                os._exit(KILLED)
    os._exit(SURVIVED)


@contextmanager
def _last_words() -> Iterator[None]:
    """Let nothing out of the child but its exit code."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    try:
        yield
    except BaseException:  # noqa: BLE001 - whatever a mutant throws through pytest kills it
        os._exit(KILLED)


def _limit(seconds: float) -> None:
    most = round(_GRACE + _GRACE * seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
    signal.alarm(20 * most)  # for one that waits instead
