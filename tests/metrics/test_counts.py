"""Counting: exact under threads, and into the right buckets."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from signer.metrics import families
from signer.metrics.counts import CallCounts, Counter, Histogram
from signer.metrics.meter import Meter
from signer.metrics.samples import Number, Sample, Spread, decode, encode

THREADS, TIMES = 4, 5000


def spread(samples: list[Sample]) -> Spread:
    """Return the only sample, a histogram's."""
    (sample,) = samples
    assert isinstance(sample, Spread)
    return sample


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0, 0), (0.0001, 0), (0.00010001, 1), (0.0002, 1), (1.5, 13), (10, 15), (11, 16)],
)
def test_buckets(seconds: float, bucket: int) -> None:
    """A value falls into the first bucket whose bound it does not exceed; all begin at 100 µs."""
    histogram = Histogram(families.QUEUE_SECONDS, "key", "slot")
    histogram.add(seconds)
    found = spread(histogram.samples())
    assert found.counts == tuple(int(place == bucket) for place in range(17))
    assert found.sum == seconds
    assert found.labels == ("key", "slot")


def test_threads_lose_nothing() -> None:
    """Counts and sums are exact, however many threads count."""
    counter, histogram = Counter(families.PAYLOADS), Histogram(families.COMMIT_SECONDS)
    calls = CallCounts("m", families.CALLS_IN_FLIGHT, families.CALLS, families.CALL_SECONDS)

    def count(_: int) -> None:
        for _turn in range(TIMES):
            counter.add("key", "SIGNED")
            histogram.add(1)
            calls.begun()
            calls.ended("OK", 1)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(count, range(THREADS)))
    assert counter.samples() == [
        Number("signgate_payloads_total", ("key", "SIGNED"), THREADS * TIMES)
    ]
    assert spread(histogram.samples()).sum == THREADS * TIMES
    in_flight, ended, seconds = calls.samples()
    assert in_flight == Number("signgate_calls_in_flight", ("m",), 0)
    assert ended == Number("signgate_calls_total", ("m", "OK"), THREADS * TIMES)
    assert spread([seconds]).sum == THREADS * TIMES


def test_unknown_keys_make_one_series() -> None:
    """Whatever keys are asked for, only those on the token are labels."""
    meter = Meter()
    meter.know(["wd-usdc"])
    for key in ("wd-usdc", "made-up-1", "made-up-2", "made-up-3"):
        meter.finished(key, "KEY_DENIED")
    payloads = {
        sample.labels: sample.value
        for sample in meter.snapshot()
        if isinstance(sample, Number) and sample.name == families.PAYLOADS.name
    }
    assert payloads == {("wd-usdc", "KEY_DENIED"): 1, ("unknown", "KEY_DENIED"): 3}


def test_a_snapshot_travels_unchanged() -> None:
    """What one process encodes another decodes to the same samples."""
    meter = Meter()
    meter.signed("key", "slot", queued=[0.0001], served=[0.002], total=0.003)
    meter.failed("slot", "replace", "CKR_SESSION_CLOSED")
    meter.committed(0.01, 3)
    meter.calls("m").begun()
    snapshot = meter.snapshot()
    assert decode(encode(snapshot)) == snapshot
    assert len(snapshot) == 10
