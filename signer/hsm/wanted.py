"""What an approval wants signed: one item for each of its messages, and the result of them all."""

import time

from signer.approval import Approval
from signer.errors import HsmError, OutcomeUnknownError, SignatureInvalidError
from signer.hsm.job import Item, Way
from signer.hsm.limits import Observer


class Wanted:
    """An approval on its way through the pool.

    Raises:
        HsmRefusedError: the algorithm does not go with the digest or the message.
    """

    __slots__ = ("_approval", "_observer", "_way", "items")

    def __init__(self, way: Way, approval: Approval, deadline: float, observer: Observer) -> None:
        self._way = way
        self._approval = approval
        self._observer = observer
        self.items = [self._item(message, deadline) for message in self._messages()]

    def _messages(self) -> tuple[bytes, ...]:
        return (self._approval.message, *self._approval.further)

    def _item(self, message: bytes, deadline: float) -> Item:
        way = self._way
        data = way.scheme.token_input(message, self._approval.digest)
        way.scheme.check_input(data)
        return Item(way, data, deadline)

    def result(self) -> bytes | HsmError:
        """Return the signatures one after the other, verified; or why there are none."""
        try:
            if len(self.items) == 1:  # nearly all
                return self._verified(self.items[0], self._approval.message)
            return b"".join(map(self._verified, self.items, self._messages()))
        except HsmError as error:
            # Where one signature exists nothing is certain any more.
            if error.certain and any(item.signature is not None for item in self.items):
                return OutcomeUnknownError(f"after another signature: {error}")
            return error
        finally:
            # Job and items hold each other, which only the garbage collector would end.
            for item in self.items:
                item.job = None

    def _verified(self, item: Item, message: bytes) -> bytes:
        way = self._way
        signature = way.scheme.normalise(item.result())
        if not way.verify(message, self._approval.digest, signature):
            if item.job is not None:
                item.job.condemn()
            raise SignatureInvalidError(
                f"{way.name}: the token gave a signature that does not verify"
            )
        self._report(item)
        return signature

    def _report(self, item: Item) -> None:
        job = item.job
        if job is not None:
            self._observer.signed(
                self._way.name.key,
                job.slot.name if job.slot else "",
                queued=item.began - job.queued,
                served=item.ended - item.began,
                total=time.monotonic() - job.queued,
            )
