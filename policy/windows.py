"""Rolling windows over buckets: sums that never forget too early.

No half-open interval ``[t, t + span)`` holds more than what was counted in it. While a
window holds few charges, each has a bucket of its own and leaves exactly one span after
it was made. To keep every charge of a busy one would take rows without bound, so that
there charges that are close share a bucket. It is kept until the youngest of them is one
span old: the others stay longer, by less than a thousandth of the span. The clock never
runs backwards here: an earlier time counts as the newest time seen.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from policy.model import Used

EXACT = 128  # buckets of one charge; more of them cost each process that reads them again
_BUCKETS_A_SPAN = 1024


def covers(longer_ms: int, shorter_ms: int) -> bool:
    """Whether a window of one span never holds less than one of the other.

    Equal spans have equal buckets. Otherwise the longer one must be longer by the width of
    a bucket, since that is how much longer the shorter window may keep a charge.
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
    """The state of one rolling sum over ``span_ms`` milliseconds.

    Charges share buckets once there are ``exact`` of them.
    """

    def __init__(self, span_ms: int, exact: int = EXACT) -> None:
        self._span = span_ms
        self._exact = exact
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
        total, requests, buckets = self._total, self._requests, self._buckets
        if not buckets or buckets[0].last_ms > oldest_kept:
            return Used(total, requests)
        for bucket in buckets:
            if bucket.last_ms > oldest_kept:
                break
            total -= bucket.total
            requests -= bucket.requests
        return Used(total, requests)

    def charge(self, now_ms: int, amount: int, requests: int = 1) -> Bucket:
        """Add to the window at ``now_ms`` and return the bucket as it now is."""
        now_ms = self._advance(now_ms)
        buckets = self._buckets
        if buckets and self._shares(buckets[-1], now_ms):
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

    def _shares(self, newest: Bucket, now_ms: int) -> bool:
        """Whether a charge goes into the newest bucket: the same instant always does."""
        crowded = len(self._buckets) >= self._exact
        return newest.last_ms == now_ms or (crowded and now_ms - newest.first_ms < self._width)

    def _advance(self, now_ms: int) -> int:
        self._newest = max(self._newest, now_ms)
        return self._newest

    def _count(self, amount: int, requests: int) -> None:
        self._total += amount
        self._requests += requests


def _width(span_ms: int) -> int:
    return max(1, span_ms // _BUCKETS_A_SPAN)
