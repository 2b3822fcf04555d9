"""Which measurements count: those during which the machine was left alone.

A neighbour on a shared machine takes up to half of a core and of its cache, for seconds at a time.
What computes is slower then and what waits is not, so that a ratio of the two tells of the
neighbour. A loop before and after each measurement shows it, whatever came out.
"""

import math
import os
import random
import time
from collections.abc import Callable, Sequence
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


class Calm:
    """Judges the measurements of a run by the fastest loop in it, ``best`` seconds."""

    def __init__(self) -> None:
        self.best = math.inf

    def timed(self, measure: Callable[[], T]) -> Timed[T]:
        """Measure something, with the loop around it."""
        before = pace()
        value = measure()
        after = pace()
        self.best = min(self.best, before, after)
        return Timed(value, max(before, after))

    def is_enough(self, found: Sequence[Timed[T]], number: int) -> bool:
        """Whether the machine was left alone during so many of them."""
        return sum(each.pace <= NEAR * self.best for each in found) >= number


def calmest(found: Sequence[Timed[T]], number: int) -> list[Timed[T]]:
    """Return so many measurements, those with the fastest loops first."""
    return sorted(found, key=lambda each: each.pace)[:number]


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
