"""Rolling windows over buckets: sums that never forget too early.

No half-open interval ``[t, t + span)`` holds more than what was counted in it:
a bucket is kept until the youngest charge in it is one span old. The price is
that an older charge in the same bucket stays up to ``width - 1`` milliseconds
longer, about a thousandth of the span; a bucket with one charge leaves exactly
one span after it. The clock never runs backwards here: an earlier time counts
as the newest time seen.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from policy.model import Used

_BUCKETS_A_SPAN = 1024


def covers(longer_ms: int, shorter_ms: int) -> bool:
    """Whether a window of one span never holds less than one of the other.

    Equal spans have equal buckets. Otherwise the longer one must be longer by a
    bucket, since that is how much longer the shorter window may keep a charge.
    """
    return longer_ms == shorter_ms or longer_ms >= shorter_ms + _width(shorter_ms)


class Bucket(NamedTuple):
    """What was charged from ``first_ms`` to ``last_ms``, both included.

    ``first_ms`` names the bucket: buckets of one window never overlap.
    """

    first_ms: int
    last_ms: int
    total: int
    requests: int


class Window:
    """The state of one rolling sum over ``span_ms`` milliseconds."""

    def __init__(self, span_ms: int) -> None:
        self._span = span_ms
        self._width = _width(span_ms)
        self.load(())

    def load(self, buckets: Iterable[Bucket]) -> None:
        """Replace the state by stored buckets, in any order."""
        self._buckets = deque(sorted(buckets))
        self._total = sum(bucket.total for bucket in self._buckets)
        self._requests = sum(bucket.requests for bucket in self._buckets)
        self._newest = self._buckets[-1].last_ms if self._buckets else 0

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """What the window is made of, oldest first."""
        return tuple(self._buckets)

    def roll(self, now_ms: int) -> list[Bucket]:
        """Drop what has left the window and return it, oldest first."""
        oldest_kept = self._advance(now_ms) - self._span
        buckets, expired = self._buckets, []
        while buckets and buckets[0].last_ms <= oldest_kept:
            bucket = buckets.popleft()
            self._count(-bucket.total, -bucket.requests)
            expired.append(bucket)
        return expired

    def used(self, now_ms: int) -> Used:
        """Return what the window holds at ``now_ms``; O(1) once it is rolled to then."""
        oldest_kept = self._advance(now_ms) - self._span
        total, requests = self._total, self._requests
        for bucket in self._buckets:
            if bucket.last_ms > oldest_kept:
                break
            total -= bucket.total
            requests -= bucket.requests
        return Used(total, requests)

    def charge(self, now_ms: int, amount: int, requests: int = 1) -> Bucket:
        """Add to the window at ``now_ms`` and return the bucket as it now is."""
        now_ms = self._advance(now_ms)
        buckets = self._buckets
        if buckets and now_ms - buckets[-1].first_ms < self._width:
            first_ms, _, total, count = buckets.pop()
            bucket = Bucket(first_ms, now_ms, total + amount, count + requests)
        else:
            bucket = Bucket(now_ms, now_ms, amount, requests)
        buckets.append(bucket)
        self._count(amount, requests)
        return bucket

    def refund(self, at_ms: int, amount: int, requests: int = 1) -> Bucket | None:
        """Give back what was charged at ``at_ms`` and return the bucket as it now is.

        None when that bucket has left the window: there is nothing to give back.

        Raises:
            ValueError: the bucket holds less than that.
        """
        for index in range(len(self._buckets) - 1, -1, -1):  # what is refunded is recent
            bucket = self._buckets[index]
            if bucket.first_ms <= at_ms <= bucket.last_ms:
                break
        else:
            return None
        if amount > bucket.total or requests > bucket.requests:
            raise ValueError(f"refund of {amount} in {requests} exceeds {bucket}")
        bucket = bucket._replace(total=bucket.total - amount, requests=bucket.requests - requests)
        self._buckets[index] = bucket
        self._count(-amount, -requests)
        return bucket

    def _advance(self, now_ms: int) -> int:
        self._newest = max(self._newest, now_ms)
        return self._newest

    def _count(self, amount: int, requests: int) -> None:
        self._total += amount
        self._requests += requests


def _width(span_ms: int) -> int:
    return max(1, span_ms // _BUCKETS_A_SPAN)
