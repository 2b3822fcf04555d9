"""Counters and histograms that cost a request well under a microsecond each.

The library's own take about 1.5 µs with labels at hand and 4 without. A lock is held for
a few instructions only, so that nobody ever waits for one, and the sums are exact.
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from signer.metrics.families import BOUNDS, SECONDS, Family
from signer.metrics.samples import Number, Sample, Spread


class Counter:
    """Counts by labels, whose values must be bounded."""

    def __init__(self, family: Family) -> None:
        self._name = family.name
        self._lock = threading.Lock()
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def add(self, *labels: str, by: int = 1) -> None:
        """Count one more, or so many."""
        with self._lock:
            self._counts[labels] += by

    def samples(self) -> list[Sample]:
        """Return a sample for each set of labels."""
        with self._lock:
            return [Number(self._name, labels, count) for labels, count in self._counts.items()]


class Histogram:
    """Spreads values over buckets."""

    __slots__ = ("_bounds", "_counts", "_labels", "_lock", "_name", "_sum")

    def __init__(self, family: Family, *labels: str) -> None:
        self._name = family.name
        self._labels = labels
        self._bounds = BOUNDS.get(family.name, SECONDS)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def add(self, *values: float) -> None:
        """Count some values."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
                self._sum += value

    def samples(self) -> list[Sample]:
        """Return its one sample."""
        with self._lock:
            return [Spread(self._name, self._labels, tuple(self._counts), self._sum)]


class CallCounts:
    """The calls of one method: under way, ended by code, and how long they took."""

    def __init__(self, method: str, in_flight: Family, ended: Family, seconds: Family) -> None:
        self._method = method
        self._in_flight_name = in_flight.name
        self._ended_name = ended.name
        self._seconds = Histogram(seconds, method)
        self._lock = threading.Lock()
        self._in_flight = 0
        self._ended: defaultdict[str, int] = defaultdict(int)

    def begun(self) -> None:
        """Count a call that begins."""
        with self._lock:
            self._in_flight += 1

    def ended(self, code: str, seconds: float) -> None:
        """Count a call that ended, with its status code's name."""
        with self._lock:
            self._in_flight -= 1
            self._ended[code] += 1
        self._seconds.add(seconds)

    def unbegun(self, code: str) -> None:
        """Count a call that ended before it began."""
        with self._lock:
            self._ended[code] += 1

    def samples(self) -> Iterator[Sample]:
        """Yield a sample for each metric and code."""
        with self._lock:
            in_flight, ended = self._in_flight, dict(self._ended)
        yield Number(self._in_flight_name, (self._method,), in_flight)
        for code, count in ended.items():
            yield Number(self._ended_name, (self._method, code), count)
        yield from self._seconds.samples()
