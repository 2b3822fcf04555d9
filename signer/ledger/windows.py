"""The rolling windows, kept in memory between transactions and written as they change."""

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
        self.begin(0)

    def begin(self, now_ms: int) -> None:
        """Start a transaction at a time that is not before the previous one's."""
        self._now = now_ms
        self.changed: dict[tuple[Counter, int], tuple[Counter, Bucket]] = {}
        self.expired: list[tuple[Counter, Bucket]] = []

    def catch_up(self, seq: int) -> None:
        """Forget the windows that other processes wrote after ``seq``."""
        for counter, _ in self._store.buckets_since(seq):
            self._windows.pop(counter, None)

    def used(self, counter: Counter) -> Used:
        """Return what the counter's window holds now."""
        return self._window(counter).used(self._now)

    def charge(self, charge: Charge) -> None:
        """Book what an allowed request adds."""
        window = self._window(charge.counter)
        self._note(charge.counter, window.charge(self._now, charge.amount, charge.requests))

    def refund(self, charge: Charge, at_ms: int) -> None:
        """Give back what was booked at ``at_ms``; nothing once it has left the window."""
        window = self._window(charge.counter)
        bucket = window.refund(at_ms, charge.amount, charge.requests)
        if bucket is not None:
            self._note(charge.counter, bucket)

    def _window(self, counter: Counter) -> Window:
        window = self._windows.get(counter)
        if window is None:
            window = self._windows[counter] = self._load(counter)
        expired = window.roll(self._now)
        if expired:
            self.expired += [(counter, bucket) for bucket in expired]
        return window

    def _load(self, counter: Counter) -> Window:
        window = Window(counter.span_ms)
        buckets = self._store.buckets(counter)
        window.load(buckets or self._inherit(counter))
        return window

    def _inherit(self, counter: Counter) -> list[Bucket]:
        """Start a window that a policy change brought with what its neighbour saw.

        Otherwise another span in the policy would forget what was spent. A counter
        that has only gone quiet finds nothing here that is young enough to count:
        whatever charges one window of an asset charges them all.
        """
        neighbour = self._store.longest_span(counter.key, counter.asset)
        inherited = self._store.buckets(neighbour) if neighbour else []
        kept = [bucket for bucket in inherited if bucket.last_ms + counter.span_ms > self._now]
        for bucket in kept:
            self._note(counter, bucket)
        return kept

    def _note(self, counter: Counter, bucket: Bucket) -> None:
        self.changed[counter, bucket.first_ms] = (counter, bucket)
