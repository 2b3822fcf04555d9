"""What people on duty do: freeze, slow, and decide on held requests, as the service sees it."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from signer.errors import SigngateError
from signer.ledger import holding, stopping
from signer.ledger.holding import Held
from signer.ledger.lifecycle import Submit
from signer.ledger.stopping import StopState
from signer.ledger.stops import Stop
from signer.ledger.transaction import Transaction
from signer.model import Caller

T = TypeVar("T")


class Duty:
    """Each method is a durable transaction; what is refused is on the record, too.

    All raise ``LedgerUnavailableError`` when nothing can be read or was changed.
    """

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def stop(self, stop: Stop) -> StopState:
        """Freeze or slow what a stop names, from the next decision of any process on.

        Raises:
            RateNotLowerError: a lower rate is in force.
        """
        return self._answer(partial(stopping.stop, wanted=stop))

    def end_stop(self, stop: Stop) -> StopState:
        """Ask for the end of a stop as ``stop.by``; it comes with the quorum's last asking.

        Raises:
            OfficerRequiredError: the root document does not name who asks, or there is none.
        """
        return self._answer(partial(stopping.end, wanted=stop))

    def stops(self) -> list[StopState]:
        """Return every freeze and rate in force, oldest first, and who asks for its end."""
        return self._submit(lambda tx: [stopping.state(tx, one) for one in tx.store.stops.all()])

    def holds(self, person: str) -> list[Held]:
        """Return the open holds that a person may decide on, oldest first."""
        return self._submit(partial(holding.shown, person=person))

    def hold(self, number: int, person: str) -> Held:
        """Return a hold that a person may decide on, or could have.

        Raises:
            ApprovalNotFoundError: there is none, or it is not for this person.
        """
        return self._answer(partial(holding.look_up, number=number, person=person))

    def approve(self, number: int, by: Caller, payload_sha256: bytes) -> Held:
        """Note an approval of the payload with this hash; a second one changes nothing.

        Raises:
            ApprovalNotFoundError: there is none, or it is not for this person.
            ApprovalClosedError: it was decided on, or has expired.
            InvalidRequestError: another payload is held.
        """
        work = partial(holding.approve, number=number, by=by, payload_sha256=payload_sha256)
        return self._answer(work)

    def reject(self, number: int, by: Caller, reason: str) -> Held:
        """End a hold for good; raises what ``approve`` does, but for the hash."""
        return self._answer(partial(holding.reject, number=number, by=by, reason=reason))

    def _answer(self, work: Callable[[Transaction], T | SigngateError]) -> T:
        """Return what work returned; an error that it returned is raised once it is durable."""
        answer = self._submit(work)
        if isinstance(answer, SigngateError):
            raise answer
        return answer
