"""How many sessions a token is worth: found by measuring. No thread, clock or token in here.

A token with so many engines serves that many calls at once; calls beyond them wait
inside it. So while others wait in line there is one session more after each
measurement, as long as a call takes no longer for it. Once it takes a quarter longer,
and again in the next measurement, the last good number stays. That is the engines x (1 +
network / engine time) and a quarter more that vendors advise, without knowing either.
"""

from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple

BEND: Final = 1.25  # how much longer a call may take than with fewer sessions
CROWDED: Final = 0.5  # the share of requests that must find others in the line
CALLS: Final = 40  # of one measurement
CONFIRMATIONS: Final = 2  # measurements that show the bend, one after the other
REST: Final = 240  # measurements under load until one more session is tried again


class SessionRange(NamedTuple):
    """How few and how many sessions a token may get."""

    least: int
    most: int


class Call(NamedTuple):
    """One call of the token: the kind, such as its key, and how long it took in seconds."""

    kind: Hashable
    seconds: float


class _Sum(NamedTuple):
    calls: int = 0
    seconds: float = 0.0

    @property
    def mean(self) -> float:
        return self.seconds / self.calls


class Sizing:
    """Says after each stretch of time how many sessions there should be."""

    def __init__(self, bounds: SessionRange) -> None:
        self._least, self._most = bounds
        self._size = bounds.least
        self._good = bounds.least
        self._best: dict[Hashable, float] = {}  # the mean of a kind at the best number so far
        self._bends = 0
        self._rest = 0
        self._sums: dict[Hashable, _Sum] = {}

    @property
    def settled(self) -> bool:
        """Whether the number was found and stays for now."""
        return self._rest > 0

    def next(self, size: int, calls: Iterable[Call], crowded: float) -> int:
        """Return how many sessions there should be, at most one more than ``size``.

        Args:
            size: how many there were during the calls.
            calls: all that ended since the last time.
            crowded: the share of new requests that found others waiting, 0 to 1.
        """
        if size != self._size or crowded < CROWDED:
            self._size = size
            self._sums = {}  # nothing to learn from what was measured otherwise
            return size
        self._add(calls)
        if sum(each.calls for each in self._sums.values()) < CALLS:
            return size
        measured, self._sums = self._sums, {}
        return self._judge(size, measured)

    def cap(self, size: int) -> None:
        """Never ask for more than so many again: the token gave no more."""
        self._most = max(self._least, min(self._most, size))

    def _add(self, calls: Iterable[Call]) -> None:
        for kind, seconds in calls:
            before = self._sums.get(kind, _Sum())
            self._sums[kind] = _Sum(before.calls + 1, before.seconds + seconds)

    def _judge(self, size: int, measured: dict[Hashable, _Sum]) -> int:
        if self._rest:
            self._rest -= 1
            return size
        if self._stretch(measured) > BEND:
            self._bends += 1
            return self._settle() if self._bends >= CONFIRMATIONS else size
        self._bends = 0
        self._good = size
        for kind, each in measured.items():
            self._best[kind] = min(each.mean, self._best.get(kind, each.mean))
        return min(size + 1, max(size, self._most))

    def _settle(self) -> int:
        self._bends = 0
        self._rest = REST
        return self._good

    def _stretch(self, measured: dict[Hashable, _Sum]) -> float:
        """How many times longer the calls took than they would have at best, whatever the mix."""
        known = {kind: each for kind, each in measured.items() if kind in self._best}
        best = sum(each.calls * self._best[kind] for kind, each in known.items())
        return sum(each.seconds for each in known.values()) / best if best else 1.0
