"""HDR histograms of times: mergeable between processes, exact to three digits."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Self

from hdrh.histogram import HdrHistogram

from loadtest.errors import LoadtestError

MICROSECONDS = 1_000_000
LONGEST_SECONDS = 600
DIGITS = 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class Histogram:
    """Times in seconds, kept in microseconds from 1 us to 10 minutes.

    What is shorter or longer counts as the shortest or longest: nothing is dropped.
    """

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._hdr = HdrHistogram(1, LONGEST_SECONDS * MICROSECONDS, DIGITS)
        for value in seconds:
            self.record(value)

    def record(self, seconds: float) -> None:
        """Count one time."""
        clamped = min(max(seconds, 0.0), LONGEST_SECONDS)
        self._hdr.record_value(max(round(clamped * MICROSECONDS), 1))

    def add(self, other: Self) -> None:
        """Count all that ``other`` counted."""
        self._hdr.add(other._hdr)

    @property
    def count(self) -> int:
        """How many times were counted."""
        return int(self._hdr.get_total_count())

    @property
    def max_ms(self) -> float:
        """The longest time in milliseconds; 0 when there is none."""
        return self._hdr.get_max_value() / 1000 if self.count else 0.0

    def percentile_ms(self, percentile: float) -> float:
        """Return the time in milliseconds that ``percentile`` % do not exceed; 0 if empty."""
        return self._hdr.get_value_at_percentile(percentile) / 1000 if self.count else 0.0

    def percentiles_ms(self) -> dict[str, float]:
        """Return p50, p90, p99, p99.9 and max, in milliseconds."""
        values = {f"p{p:g}": self.percentile_ms(p) for p in PERCENTILES}
        return {**values, "max": self.max_ms}

    def curve(self) -> Iterator[tuple[float, float]]:
        """Yield (share of times that are longer, milliseconds) for a plot of the tail."""
        if not self.count:
            return
        for item in chain(self._hdr.get_percentile_iterator(5)):
            longer = 1 - item.percentile_level_iterated_to / 100
            yield max(longer, 1 / self.count), item.value_iterated_to / 1000

    def encode(self) -> str:
        """Return the compressed V2 form of the HdrHistogram libraries, base64."""
        return bytes(self._hdr.encode()).decode("ascii")

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what ``encode`` wrote.

        Raises:
            LoadtestError: it is not an encoded histogram.
        """
        histogram = cls()
        try:
            histogram._hdr.decode_and_add(text.encode("ascii"))
        except Exception as error:
            raise LoadtestError(f"not an encoded histogram: {error}") from error
        return histogram


def merged(parts: Iterable[str]) -> Histogram:
    """Return one histogram of all that the encoded ones counted."""
    whole = Histogram()
    for part in parts:
        whole.add(Histogram.decode(part))
    return whole
