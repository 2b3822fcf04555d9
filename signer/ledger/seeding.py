"""Before a policy comes into force, its new windows are filled from the audit log.

Most of the log is read before the transaction; the transaction reads what came since.
A record that was cut when it was stored has no facts to charge.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from policy.recount import Recount
from policy.rules import Policy
from signer.audit.history import CutError, event, time_ms
from signer.ledger.transaction import Transaction

Leaves = Callable[[int, int], Sequence[tuple[int, bytes]]]
_PAGE = 4096


class _Timed(msgspec.Struct):
    time: str


_decode = msgspec.json.Decoder(_Timed).decode


class Seeding:
    """The windows of a policy that the one before it did not count."""

    def __init__(self, old: Policy | None, new: Policy) -> None:
        self._recount = Recount(old, new)
        self._next: int | None = None  # the first leaf that was not read yet

    def read(self, leaves: Leaves, size: int, now_ms: int) -> None:
        """Take in the leaves of the longest new window, up to ``size``."""
        span_ms = self._recount.span_ms
        if not span_ms:
            return
        if self._next is None:
            self._next = _first_after(leaves, size, now_ms - span_ms)
        while self._next < size:
            page = leaves(self._next, min(_PAGE, size - self._next))
            for _, body in page:
                self._take(body)
            self._next = page[-1][0] + 1

    def write(self, tx: Transaction) -> None:
        """Put what the windows hold into the transaction that puts the policy in force."""
        self.read(tx.leaves, tx.size, tx.now_ms)
        for counter, window in self._recount.windows().items():
            tx.windows.seed(counter, window)

    def _take(self, body: bytes) -> None:
        with suppress(CutError):
            found = event(body)
            if found is not None:
                self._recount.step(found)


def _first_after(leaves: Leaves, size: int, time: int) -> int:
    """Return the index of the first leaf later than a time; the log is in its order."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        [(_, body)] = leaves(middle, 1)
        if time_ms(_decode(body).time) > time:
            high = middle
        else:
            low = middle + 1
    return low
