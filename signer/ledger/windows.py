"""The rolling windows, kept in memory between transactions and written as they change."""

from collections.abc import Iterator, Sequence

from policy.instants import Instant
from policy.model import Charge, Counter, Used
from policy.windows import EXACT, Bucket, Window
from signer.ledger.store import Store

_ALL = 1 << 62
_SWEPT = 128  # instants in one transaction, besides two for each that it writes


class Windows:
    """The usage that decisions are made by; what changes is collected for the store.

    Between ``begin`` and the end of the transaction nothing else may write the
    store. After a transaction that failed the object is worthless.
    """

    def __init__(self, store: Store, exact: int = EXACT) -> None:
        self._store = store
        self._exact = exact
        self._windows: dict[Counter, Window] = {}
        self._spans: dict[tuple[str, str], set[int]] = {}  # in use or used once, by key and asset
        self._stale: dict[Counter, int] = {}  # the time up to which instants are to be forgotten
        self.begin(0)

    def begin(self, now_ms: int) -> None:
        """Start a transaction at a time that is not before the previous one's."""
        self._now = now_ms
        self._rolled: dict[Counter, Window] = {}  # to now
        self.changed: dict[tuple[Counter, int], tuple[Counter, Bucket]] = {}
        self.expired: list[tuple[Counter, Bucket]] = []
        self._instants: dict[tuple[Counter, int], tuple[int, int]] = {}

    def catch_up(self, seq: int) -> None:
        """Take in what other processes wrote after ``seq``, under the same policy."""
        for counter, bucket in self._store.buckets_since(seq):
            window = self._windows.get(counter)
            if window is not None:
                window.put(bucket)
            spans = self._spans.get(counter[:2])
            if spans is not None:
                spans.add(counter.span_ms)

    def used(self, counter: Counter) -> Used:
        """Return what the counter's window holds now."""
        return self._window(counter).used(self._now)

    def complete(self, charges: Sequence[Charge]) -> tuple[Charge, ...]:
        """Add the spans that are not in force but were: a policy may bring them back.

        A window that was not charged meanwhile would have forgotten what was spent.
        """
        completed = {charge.counter: charge for charge in charges}
        for charge in charges:
            own_ms = charge.counter.span_ms
            for span_ms in self._known_spans(charge.counter):
                if span_ms != own_ms:
                    counter = charge.counter._replace(span_ms=span_ms)
                    completed.setdefault(counter, Charge(counter, charge.amount, charge.requests))
        return tuple(completed.values())

    def _known_spans(self, counter: Counter) -> set[int]:
        name = counter[:2]
        spans = self._spans.get(name)
        if spans is None:
            spans = self._spans[name] = set(self._store.spans(*name))
        return spans

    def charge(self, charge: Charge) -> None:
        """Book what an allowed request adds."""
        counter = charge.counter
        window = self._window(counter)
        self._known_spans(counter).add(counter.span_ms)
        self._note(counter, window.charge(self._now, charge.amount, charge.requests))

    def seed(self, counter: Counter, window: Window) -> None:
        """Replace what a window holds."""
        window.roll(self._now)
        self.expired += [(counter, bucket) for bucket in self._window(counter).buckets]
        for place in [place for place in self.changed if place[0] == counter]:
            del self.changed[place]
        self._forget_instants(counter)
        self._store.add_instants((counter, instant) for instant in window.instants())
        stored = self._windows[counter] = self._rolled[counter] = self._new(counter)
        stored.load(window.buckets)
        stored.roll(self._now)
        self._known_spans(counter).add(counter.span_ms)
        for bucket in window.buckets:
            self._note(counter, bucket)

    def refund(self, charge: Charge, at_ms: int) -> None:
        """Give back what was booked at ``at_ms``; nothing once it has left the window."""
        window = self._window(charge.counter)
        bucket = window.refund(at_ms, charge.amount, charge.requests)
        if bucket is not None:
            self._note(charge.counter, bucket)

    def instants(self) -> Iterator[tuple[Counter, Instant]]:
        """Return what is to be added to instants."""
        for (counter, at_ms), added in self._instants.items():
            yield counter, Instant(at_ms, *added)

    def drop_expired(self) -> None:
        """Forget all buckets that have left, also of windows that nobody asks for any more."""
        self._store.drop_expired(self._now)
        self._stale.update(self._store.stale_instants(self._now))

    def sweep(self) -> None:
        """Forget instants that have left: more than come, and never many at once."""
        left = _SWEPT + 2 * len(self._instants)
        while self._stale and left > 0:
            counter, through_ms = next(iter(self._stale.items()))
            swept = self._store.drop_instants(counter, through_ms, left)
            if swept < left:
                del self._stale[counter]
            left -= swept

    def add_instant(self, counter: Counter, instant: Instant) -> None:
        """Have an instant added to when the transaction is written."""
        at_ms, total, requests = instant
        earlier_total, earlier_requests = self._instants.get((counter, at_ms), (0, 0))
        self._instants[counter, at_ms] = earlier_total + total, earlier_requests + requests

    def drop_instants(self, counter: Counter, through_ms: int) -> None:
        """Have instants forgotten when there is time."""
        self._stale[counter] = max(through_ms, self._stale.get(counter, 0))

    def _window(self, counter: Counter) -> Window:
        return self._rolled.get(counter) or self._roll(counter)

    def _roll(self, counter: Counter) -> Window:
        window = self._windows.get(counter)
        if window is None:
            window = self._windows[counter] = self._load(counter)
        self._rolled[counter] = window
        self.expired += [(counter, bucket) for bucket in window.roll(self._now)]
        return window

    def _new(self, counter: Counter) -> Window:
        return Window(counter.span_ms, self._exact, _Stored(self, self._store, counter))

    def _load(self, counter: Counter) -> Window:
        window = self._new(counter)
        buckets = self._store.buckets(counter)
        window.load(buckets or self._inherit(counter))
        return window

    def _inherit(self, counter: Counter) -> list[Bucket]:
        """Start a window with a span that is new with what its longest neighbour saw.

        Otherwise another span in the policy would forget what was spent. A counter
        that has only gone quiet finds nothing here that is young enough to count:
        whatever charges one window of an asset charges them all.
        """
        spans = self._known_spans(counter) - {counter.span_ms}
        neighbour = counter._replace(span_ms=max(spans, default=0))
        inherited = self._window(neighbour).buckets if spans else ()
        kept = [bucket for bucket in inherited if bucket.last_ms + counter.span_ms > self._now]
        for bucket in kept:
            self._note(counter, bucket)
        if any(bucket.shared for bucket in kept):
            self._copy_instants(neighbour, counter, kept[0].first_ms)
        return kept

    def _copy_instants(self, source: Counter, target: Counter, from_ms: int) -> None:
        self._forget_instants(target)
        self._store.add_instants(self.instants())
        self._instants.clear()
        self._store.copy_instants(source, target, from_ms)

    def _forget_instants(self, counter: Counter) -> None:
        self._stale.pop(counter, None)
        for place in [place for place in self._instants if place[0] == counter]:
            del self._instants[place]
        self._store.drop_instants(counter, self._now, _ALL)

    def _note(self, counter: Counter, bucket: Bucket) -> None:
        self.changed[counter, bucket.first_ms] = (counter, bucket)


class _Stored:
    """A counter's instants in the store; see ``policy.instants.Instants``."""

    def __init__(self, windows: Windows, store: Store, counter: Counter) -> None:
        self._windows = windows
        self._store = store
        self._counter = counter

    def add(self, instant: Instant) -> None:
        """Have it added to when the transaction is written."""
        self._windows.add_instant(self._counter, instant)

    def read(self, after_ms: int, through_ms: int, limit: int) -> Sequence[Instant]:
        """Read what earlier transactions wrote; this one's own have not to leave yet."""
        return self._store.instants(self._counter, after_ms, through_ms, limit)

    def drop(self, through_ms: int) -> None:
        """Have them forgotten when there is time."""
        self._windows.drop_instants(self._counter, through_ms)
