"""Rolling windows: sums that forget neither too early nor too late.

No half-open interval ``[t, t + span)`` holds more than what was counted in it, and each
charge leaves exactly one span after it was made. The clock never runs backwards here: an
earlier time counts as the newest time seen.

While a window holds few charges, each has a bucket of its own. To keep every charge of a
busy one in memory would take buckets without bound, so that there charges that are close
share one. What was charged to a shared bucket at which instant is kept elsewhere: it is
read back, some at a time, when the bucket's turn to leave has come. Whatever is not found
there stays until the bucket's youngest charge is one span old.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from policy.instants import Instant, Instants, Kept
from policy.model import Used

EXACT = 128  # buckets of one charge; more of them cost each process that loads them
PAGE = 256  # instants that are read at once
_BUCKETS_A_SPAN = 1024


class Bucket(NamedTuple):
    """What was charged from ``first_ms`` to ``last_ms``, both included.

    ``first_ms`` names the bucket: buckets of one window never overlap.
    """

    first_ms: int
    last_ms: int
    total: int
    requests: int

    @property
    def shared(self) -> bool:
        """Whether it holds charges of more than one instant."""
        return self.first_ms != self.last_ms


class Window:
    """The state of one rolling sum over ``span_ms`` milliseconds.

    Charges share buckets once there are ``exact`` of them; ``instants`` keeps what these
    are made of.
    """

    def __init__(self, span_ms: int, exact: int = EXACT, instants: Instants | None = None) -> None:
        self._span = span_ms
        self._exact = exact
        self._width = max(1, span_ms // _BUCKETS_A_SPAN)
        self._instants = Kept() if instants is None else instants
        self._expired: list[Bucket] = []
        self.load(())

    def load(self, buckets: Iterable[Bucket]) -> None:
        """Replace the state by stored buckets, in any order."""
        self._buckets = deque(sorted(buckets))
        self._total = sum(bucket.total for bucket in self._buckets)
        self._requests = sum(bucket.requests for bucket in self._buckets)
        self._newest = self._buckets[-1].last_ms if self._buckets else 0
        # Of the oldest bucket: what has left it, and what was read of it to leave next.
        self._gone_total = self._gone_requests = 0
        self._next = deque[Instant]()
        self._read_ms = -1

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """What the window is made of, oldest first; the oldest is whole until it is gone."""
        return tuple(self._buckets)

    def instants(self) -> Iterable[Instant]:
        """Return what the shared buckets are made of, as far as it is known."""
        return self._instants.read(-1, self._newest, self._newest + 1)

    def roll(self, now_ms: int) -> list[Bucket]:
        """Drop what has left the window; return the buckets that did since the last time."""
        self._forget(now_ms)
        expired, self._expired = self._expired, []
        return expired

    def used(self, now_ms: int) -> Used:
        """Return what the window holds at ``now_ms``."""
        self._forget(now_ms)
        return Used(self._total, self._requests)

    def charge(self, now_ms: int, amount: int, requests: int = 1) -> Bucket:
        """Add to the window at ``now_ms`` and return the bucket as it now is."""
        now_ms = self._advance(now_ms)
        buckets = self._buckets
        if buckets and self._shares(buckets[-1], now_ms):
            newest = buckets.pop()
            first_ms, _, total, count = newest
            bucket = Bucket(first_ms, now_ms, total + amount, count + requests)
            if bucket.shared:
                if not newest.shared:
                    self._note(first_ms, total, count)
                self._note(now_ms, amount, requests)
        else:
            bucket = Bucket(now_ms, now_ms, amount, requests)
        buckets.append(bucket)
        self._count(amount, requests)
        return bucket

    def refund(self, at_ms: int, amount: int, requests: int = 1) -> Bucket | None:
        """Give back what was charged at ``at_ms`` and return the bucket as it now is.

        None when that has left the window: there is nothing to give back.

        Raises:
            ValueError: the bucket holds less than that.
        """
        if at_ms <= self._newest - self._span:
            return None
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
        if bucket.shared:
            self._note(at_ms, -amount, -requests)
        return bucket

    def put(self, bucket: Bucket) -> None:
        """Take in a bucket as somebody else has made it: a new one, or in place of an old."""
        buckets = self._buckets
        index = len(buckets)
        while index and buckets[index - 1].first_ms >= bucket.first_ms:
            index -= 1
        if not index:
            self._rewind()
        if index < len(buckets) and buckets[index].first_ms == bucket.first_ms:
            self._count(-buckets[index].total, -buckets[index].requests)
            buckets[index] = bucket
        else:
            buckets.insert(index, bucket)
        self._count(bucket.total, bucket.requests)
        self._advance(bucket.last_ms)

    def _shares(self, newest: Bucket, now_ms: int) -> bool:
        """Whether a charge goes into the newest bucket: the same instant always does."""
        crowded = len(self._buckets) >= self._exact
        return newest.last_ms == now_ms or (crowded and now_ms - newest.first_ms < self._width)

    def _note(self, at_ms: int, amount: int, requests: int) -> None:
        instant = Instant(at_ms, amount, requests)
        self._instants.add(instant)
        if at_ms <= self._read_ms:
            insort(self._next, instant)

    def _forget(self, now_ms: int) -> None:
        """Let everything leave that is one span old."""
        oldest_kept = self._advance(now_ms) - self._span
        buckets = self._buckets
        while buckets and buckets[0].last_ms <= oldest_kept:
            self._rewind()
            bucket = buckets.popleft()
            self._count(-bucket.total, -bucket.requests)
            self._expired.append(bucket)
            if bucket.shared:
                self._instants.drop(bucket.last_ms)
        if buckets and buckets[0].first_ms <= oldest_kept:
            self._trim(buckets[0], oldest_kept)

    def _trim(self, oldest: Bucket, through_ms: int) -> None:
        """Let the oldest bucket's instants leave it one by one."""
        following = self._next
        while True:
            while following and following[0].at_ms <= through_ms:
                _, total, requests = following.popleft()
                self._gone_total += total
                self._gone_requests += requests
                self._count(-total, -requests)
            if following or self._read_ms >= through_ms:
                return
            after_ms = max(self._read_ms, oldest.first_ms - 1)
            page = self._instants.read(after_ms, oldest.last_ms, PAGE)
            self._read_ms = page[-1].at_ms if len(page) == PAGE else oldest.last_ms
            following.extend(page)

    def _rewind(self) -> None:
        """Make the oldest bucket whole again: it leaves at once, or has changed."""
        self._count(self._gone_total, self._gone_requests)
        self._gone_total = self._gone_requests = 0
        self._next.clear()
        self._read_ms = -1

    def _advance(self, now_ms: int) -> int:
        self._newest = max(self._newest, now_ms)
        return self._newest

    def _count(self, amount: int, requests: int) -> None:
        self._total += amount
        self._requests += requests
