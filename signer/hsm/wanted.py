"""What an approval wants signed: one item for each of its messages, and the result of them all."""

import time

from signer.approval import Approval
from signer.errors import HsmError, OutcomeUnknownError, SignatureInvalidError
from signer.hsm.job import Item, Way
from signer.hsm.limits import Observer
from signer.hsm.slot import Slot


class Wanted:
    """An approval on its way through the pool.

    Raises:
        HsmRefusedError: the algorithm does not go with the digest or the message.
    """

    __slots__ = ("_approval", "_observer", "_queued", "_way", "items")

    def __init__(
        self, way: Way, approval: Approval, now: float, deadline: float, observer: Observer
    ) -> None:
        self._way = way
        self._approval = approval
        self._queued = now
        self._observer = observer
        self.items = [self._item(message, deadline) for message in self._messages()]

    def _messages(self) -> tuple[bytes, ...]:
        return (self._approval.message, *self._approval.further)

    def _item(self, message: bytes, deadline: float) -> Item:
        way = self._way
        data = way.scheme.token_input(message, self._approval.digest)
        way.scheme.check_input(data)
        return Item(way, data, deadline, message, self._approval.digest)

    def result(self) -> bytes | HsmError:
        """Return the signatures one after the other, if all are right; or why there are none."""
        try:
            return b"".join(map(self._verified, self.items))
        except HsmError as error:
            # Where one signature exists nothing is certain any more.
            if error.certain and any(item.signature is not None for item in self.items):
                return OutcomeUnknownError(f"after another signature: {error}")
            return error

    def _verified(self, item: Item) -> bytes:
        signature, seat = item.result(), item.seat
        if not item.is_right:
            if seat is not None:
                seat.slot.condemn(seat)
            raise SignatureInvalidError(
                f"{self._way.name}: the token gave a signature that does not verify"
            )
        if seat is not None:
            self._report(item, seat.slot)
        return signature

    def _report(self, item: Item, slot: Slot) -> None:
        way, served = self._way, item.ended - item.began
        way.pace.note(served)
        slot.signed(way.name, served)
        self._observer.signed(
            way.name.key,
            slot.name,
            queued=item.began - self._queued,
            served=served,
            total=time.monotonic() - self._queued,
        )
