"""The rolling windows, kept in memory between transactions and written as they change."""

from collections.abc import Sequence

from policy.model import Charge, Counter, Used
from policy.windows import Bucket, Window
from signer.ledger.store import Store


class Windows:
    """The usage that decisions are made by; what changes is collected for the store.

    Between ``begin`` and the end of the transaction nothing else may write the
    store. After a transaction that failed the object is worthless.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._windows: dict[Counter, Window] = {}
        self._spans: dict[tuple[str, str], set[int]] = {}  # in use or used once, by key and asset
        self.begin(0)

    def begin(self, now_ms: int) -> None:
        """Start a transaction at a time that is not before the previous one's."""
        self._now = now_ms
        self._rolled: dict[Counter, Window] = {}  # to now
        self.changed: dict[tuple[Counter, int], tuple[Counter, Bucket]] = {}
        self.expired: list[tuple[Counter, Bucket]] = []

    def catch_up(self, seq: int) -> None:
        """Forget the windows that other processes wrote after ``seq``."""
        for counter, _ in self._store.buckets_since(seq):
            self._windows.pop(counter, None)
            self._spans.pop((counter.key, counter.asset), None)

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
        self._windows[counter] = self._rolled[counter] = window
        self._known_spans(counter).add(counter.span_ms)
        for bucket in window.buckets:
            self._note(counter, bucket)

    def refund(self, charge: Charge, at_ms: int) -> None:
        """Give back what was booked at ``at_ms``; nothing once it has left the window."""
        window = self._window(charge.counter)
        bucket = window.refund(at_ms, charge.amount, charge.requests)
        if bucket is not None:
            self._note(charge.counter, bucket)

    def _window(self, counter: Counter) -> Window:
        return self._rolled.get(counter) or self._roll(counter)

    def _roll(self, counter: Counter) -> Window:
        window = self._windows.get(counter)
        if window is None:
            window = self._windows[counter] = self._load(counter)
        self._rolled[counter] = window
        self.expired += [(counter, bucket) for bucket in window.roll(self._now)]
        return window

    def _load(self, counter: Counter) -> Window:
        window = Window(counter.span_ms)
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
        return kept

    def _note(self, counter: Counter, bucket: Bucket) -> None:
        self.changed[counter, bucket.first_ms] = (counter, bucket)
