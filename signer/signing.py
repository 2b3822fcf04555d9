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
)

Result = Signed | Validated | SigngateError

_log = structlog.get_logger(__name__)


class Pool(Protocol):
    """The HSM, as this use case sees it: see ``signer.hsm.Pool``."""

    def sign_all(self, approvals: Sequence[Approval], deadline: float) -> list[bytes | Exception]:
        """Return for each a signature that was verified, or what went wrong."""


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
        granted = [verdict for verdict in verdicts if isinstance(verdict, Granted)]
        released = iter(self._release(granted, deadline) if granted else ())
        return [
            next(released) if isinstance(verdict, Granted) else _told(verdict)
            for verdict in verdicts
        ]

    def _release(self, granted: Sequence[Granted], deadline: float) -> Sequence[Result]:
        approvals = [grant.approval for grant in granted]
        try:
            signatures = self._pool.sign_all(approvals, deadline)
        except Exception as error:  # noqa: BLE001 - a bug must not leave a request without an outcome
            signatures = [error] * len(granted)
        results = list(map(_result, granted, signatures))
        self._ledger.settle(list(map(_outcome, approvals, results)))
        return results


def _told(verdict: Refused | Conflict | Signed | Validated) -> Result:
    match verdict:
        case Refused():
            return RefusedError(verdict.reasons, verdict.leaf_index, verdict.hold)
        case Conflict():
            return ConflictError(verdict.code)
        case Signed() | Validated():
            return verdict


def _result(granted: Granted, signature: bytes | Exception) -> Signed | HsmError:
    key_version = granted.approval.key_version
    if isinstance(signature, bytes):
        return Signed(key_version, signature, granted.leaf_index, granted.policy_version)
    if isinstance(signature, HsmError):
        return signature
    _log.error("signing failed", key_version=key_version, exc_info=signature)
    return OutcomeUnknownError("internal error")


def _outcome(approval: Approval, result: Signed | HsmError) -> Outcome:
    if isinstance(result, Signed):
        return Outcome(approval, result.signature)
    detail = f"{type(result).__name__}: {result}"
    return Outcome(approval, None, refused=result.certain, detail=detail)
