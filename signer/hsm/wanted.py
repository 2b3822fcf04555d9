"""What an approval wants signed: one item for each of its messages, and the result of them all."""

from signer.approval import Approval
from signer.errors import HsmError, OutcomeUnknownError, SignatureInvalidError
from signer.hsm.job import Item, Way


class Wanted:
    """An approval on its way through the pool.

    Raises:
        HsmRefusedError: the algorithm does not go with the digest or the message.
    """

    __slots__ = ("_approval", "_way", "items")

    def __init__(self, way: Way, approval: Approval, deadline: float) -> None:
        self._way = way
        self._approval = approval
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
        return signature
