"""The one use case: decode, decide, sign, release. Read it from top to bottom.

1. ``policy.payloads`` turns the payload's bytes into facts and the exact message.
2. ``signer.ledger`` decides in one durable transaction and mints an approval.
3. ``signer.hsm`` signs what the approval names and verifies the signature.
4. Only then does the signature leave, and its outcome becomes an audit record.
"""

from collections.abc import Sequence
from typing import Protocol

import structlog

from signer.approval import Approval
from signer.errors import (
    ConflictError,
    HsmError,
    OutcomeUnknownError,
    RefusedError,
    SigngateError,
)
from signer.model import (
    Conflict,
    Granted,
    Ledger,
    Outcome,
    Refused,
    Signed,
    SignRequest,
    Validated,
    Verdict,
)

Result = Signed | Validated | SigngateError

_log = structlog.get_logger(__name__)


class Pool(Protocol):
    """The HSM, as this use case sees it: see ``signer.hsm.Pool``."""

    def sign(self, approval: Approval, deadline: float) -> bytes:
        """Return a signature that was verified, or raise ``HsmError``."""


class Signing:
    """Signs what the policy allows."""

    def __init__(self, ledger: Ledger, pool: Pool) -> None:
        self._ledger = ledger
        self._pool = pool

    def sign(self, requests: Sequence[SignRequest], deadline: float) -> list[Result]:
        """Decide all requests in one transaction, sign what was granted, in order.

        ``deadline`` is in seconds of ``time.monotonic``. Each request succeeds or
        fails alone: its result is a signature or the error that its caller is told.

        Raises:
            LedgerUnavailableError: nothing was decided and nothing was signed.
        """
        verdicts = self._ledger.decide(requests)
        return [self._finish(verdict, deadline) for verdict in verdicts]

    def _finish(self, verdict: Verdict, deadline: float) -> Result:
        match verdict:
            case Granted():
                return self._release(verdict, deadline)
            case Refused():
                return RefusedError(verdict.reasons, verdict.leaf_index, verdict.hold)
            case Conflict():
                return ConflictError(verdict.code)
            case Signed() | Validated():
                return verdict

    def _release(self, granted: Granted, deadline: float) -> Result:
        approval = granted.approval
        try:
            signature = self._pool.sign(approval, deadline)
        except HsmError as error:
            return self._give_up(approval, error)
        except Exception:  # noqa: BLE001 - see below
            # A bug must not leave its request without an outcome, nor end the others.
            _log.exception("signing failed", key_version=approval.key_version)
            return self._give_up(approval, OutcomeUnknownError("internal error"))
        self._ledger.settle([Outcome(approval, signature)])
        return Signed(approval.key_version, signature, granted.leaf_index, granted.policy_version)

    def _give_up(self, approval: Approval, error: HsmError) -> HsmError:
        detail = f"{type(error).__name__}: {error}"
        self._ledger.settle([Outcome(approval, None, refused=error.certain, detail=detail)])
        return error
