"""Histograms: exact to three digits, and the same whether taken apart or together."""

import random

import pytest

from loadtest import histogram
from loadtest.errors import LoadtestError
from loadtest.histogram import Histogram


def test_merging_parts_gives_the_whole() -> None:
    """Histograms of two processes, encoded and merged, are the histogram of all values."""
    rng = random.Random(1)
    values = [rng.expovariate(100) for _ in range(5000)]
    whole = Histogram(values)
    parts = [Histogram(values[:1000]).encode(), Histogram(values[1000:]).encode()]
    found = histogram.merged(parts)
    assert found.count == 5000
    assert found.percentiles_ms() == whole.percentiles_ms()


def test_percentiles_are_those_of_the_values() -> None:
    """Percentiles are within a thousandth of the sorted values."""
    found = Histogram(number / 1000 for number in range(1, 1001)).percentiles_ms()
    expected = {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999, "max": 1000}
    assert found == pytest.approx(expected, rel=0.0011)


def test_nothing_is_dropped() -> None:
    """Times outside the range count as the shortest or longest, also one before its due time."""
    found = Histogram([-1.0, 0.0, 1e9])
    assert found.count == 3
    assert found.max_ms >= 600_000


def test_an_empty_histogram_has_zeros() -> None:
    """No values give zeros and no curve, also after merging."""
    found = histogram.merged([Histogram().encode()])
    assert set(found.percentiles_ms().values()) == {0.0}
    assert list(found.curve()) == []


def test_the_curve_descends_to_the_slowest() -> None:
    """The tail's curve has fewer and fewer longer ones, and ends at the slowest."""
    curve = list(Histogram(number / 1000 for number in range(1, 1001)).curve())
    assert [share for share, _ in curve] == sorted((share for share, _ in curve), reverse=True)
    assert curve[-1] == pytest.approx((0.001, 1000), rel=0.002)


def test_a_broken_encoding_is_refused() -> None:
    """What is not an encoded histogram is refused with the tool's own error."""
    with pytest.raises(LoadtestError, match="not an encoded histogram"):
        Histogram.decode("HISTFAAA")
