"""Which measurements count: those during which the machine was left alone.

A neighbour on a shared machine takes up to half of a core and of its cache, for seconds at a time.
What computes is slower then and what waits is not, so that a ratio of the two tells of the
neighbour. A loop before and after each measurement shows it, whatever came out.
"""

import math
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

NEAR = 1.1  # of the fastest loop: nobody else was there
TRIES, LAPS = 2, 5  # of the loop: about 0.3 ms a lap
CORES = 2  # at most: the server's and the client's
# Two megabytes that lie about: adding them up tells more of a neighbour than arithmetic alone.
_NUMBERS = [float(number) for number in range(60_000)]
random.Random(0).shuffle(_NUMBERS)  # noqa: S311 - no secret


T = TypeVar("T")


class Timed(NamedTuple, Generic[T]):
    """What was measured, and how many seconds the loop took around it."""

    value: T
    pace: float


def pace() -> float:
    """Return the seconds that the loop takes on the slower core."""
    cores = os.sched_getaffinity(0)
    try:
        return max(map(_on, sorted(cores)[:CORES]))
    finally:
        os.sched_setaffinity(0, cores)


def _on(core: int) -> float:
    os.sched_setaffinity(0, {core})
    return min(_loop() for _ in range(TRIES))


def _loop() -> float:
    began = time.perf_counter()
    for _ in range(LAPS):
        sum(_NUMBERS)
    return time.perf_counter() - began


class Calm:
    """Judges the measurements of a run by the fastest loop in it, ``best`` seconds.

    ``pace`` times the loop.
    """

    def __init__(self, pace: Callable[[], float] = pace) -> None:
        self._pace = pace
        self.best = math.inf

    def timed(self, measure: Callable[[], T]) -> Timed[T]:
        """Measure something, with the loop around it."""
        before = self._pace()
        value = measure()
        after = self._pace()
        self.best = min(self.best, before, after)
        return Timed(value, max(before, after))

    def enough(
        self, take: Callable[[], Mapping[str, Timed[T]]], number: int, most: int
    ) -> dict[str, list[Timed[T]]]:
        """Take measurements, by name, until the machine was left alone for so many of each.

        At least ``number`` are taken of each, and ``most`` where that does not come.
        """
        found: dict[str, list[Timed[T]]] = {}
        for taken in range(most):
            if taken >= number and all(self._is_calm(each, number) for each in found.values()):
                break
            for name, measured in take().items():
                found.setdefault(name, []).append(measured)
        return found

    def _is_calm(self, found: Sequence[Timed[T]], number: int) -> bool:
        return sum(each.pace <= NEAR * self.best for each in found) >= number


def calmest(found: Sequence[Timed[T]], number: int) -> list[Timed[T]]:
    """Return so many measurements, those with the fastest loops first."""
    return sorted(found, key=lambda each: each.pace)[:number]
