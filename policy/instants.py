"""What was charged at single instants: finer than the buckets that close charges share."""

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol

_at_ms = attrgetter("at_ms")


class Instant(NamedTuple):
    """What a window was charged in one millisecond; negative for what was given back."""

    at_ms: int
    total: int
    requests: int


class Instants(Protocol):
    """The instants of one window's shared buckets. What is added to one instant adds up."""

    def add(self, instant: Instant) -> None:
        """Add to an instant. A new one is later than all others."""

    def read(self, after_ms: int, through_ms: int, limit: int) -> Sequence[Instant]:
        """Return at most ``limit`` instants between two times, oldest first."""

    def drop(self, through_ms: int) -> None:
        """Forget what was charged up to a time: it is not read again."""


class Kept:
    """Instants in memory."""

    def __init__(self) -> None:
        self._kept: list[Instant] = []  # oldest first

    def add(self, instant: Instant) -> None:
        """Add to an instant."""
        kept, (at_ms, total, requests) = self._kept, instant
        index = bisect_right(kept, at_ms, key=_at_ms)
        if index and kept[index - 1].at_ms == at_ms:
            _, total_before, requests_before = kept[index - 1]
            kept[index - 1] = Instant(at_ms, total_before + total, requests_before + requests)
        else:
            kept.insert(index, instant)

    def read(self, after_ms: int, through_ms: int, limit: int) -> Sequence[Instant]:
        """Return at most ``limit`` instants between two times, oldest first."""
        first = bisect_right(self._kept, after_ms, key=_at_ms)
        end = bisect_right(self._kept, through_ms, key=_at_ms)
        return self._kept[first : min(end, first + limit)]

    def drop(self, through_ms: int) -> None:
        """Forget what was charged up to a time."""
        del self._kept[: bisect_right(self._kept, through_ms, key=_at_ms)]
