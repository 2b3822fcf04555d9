"""One small tree of errors. Each class has one code; rpc maps codes to statuses.

An error tells its caller ``public``, which is its message unless the message
holds more than a caller may know.
"""

from policy.reasons import Code as PolicyCode
from policy.reasons import Reason
from signer.codes import Code

EXIT_RESTART = 75  # sysexits.h, EX_TEMPFAIL: what a process ends with when it should be restarted


class SigngateError(Exception):
    """Base of every error that this service raises on purpose."""

    code: Code | PolicyCode = Code.INTERNAL

    @property
    def public(self) -> str:
        """What the caller is told."""
        return str(self)


class ConfigError(SigngateError):
    """The service cannot start as configured; the message is for an operator, one line."""


class RestartNeededError(SigngateError):
    """Only a new process can help; the message is for an operator, one line."""


class InvalidRequestError(SigngateError):
    """A request field is missing or out of range; the message names the field."""

    code = Code.INVALID_REQUEST


class UnauthenticatedError(SigngateError):
    """The peer's certificate does not say who it is."""

    code = Code.UNAUTHENTICATED


class CallerNotAllowedError(SigngateError):
    """The caller is not in the port's list; ``san`` is for the log."""

    code = Code.CALLER_NOT_ALLOWED

    def __init__(self, message: str, san: str) -> None:
        super().__init__(message)
        self.san = san


class OfficerRequiredError(CallerNotAllowedError):
    """The root document does not name the caller for this."""

    code = Code.OFFICER_REQUIRED


class OwnProposalError(SigngateError):
    """An author's own approval: loosening takes other people."""

    code = Code.OWN_PROPOSAL


class ProposalNotFoundError(SigngateError):
    """There is no such proposal."""

    code = Code.PROPOSAL_NOT_FOUND


class ProposalClosedError(SigngateError):
    """A proposal that was rejected or carried out, has expired, or lost its author."""

    code = Code.PROPOSAL_CLOSED


class ProposalStaleError(SigngateError):
    """The version that a proposal would replace is not the one in force."""

    code = Code.PROPOSAL_STALE


class ProposalMismatchError(SigngateError):
    """An approval names another document than the proposal's."""

    code = Code.PROPOSAL_MISMATCH


class QuorumRequiredError(SigngateError):
    """Approvals are missing, or the waiting time is not over."""

    code = Code.QUORUM_REQUIRED


class ApprovalNotFoundError(SigngateError):
    """There is no such held request, or it is not for this caller to decide on."""

    code = Code.APPROVAL_NOT_FOUND


class ApprovalClosedError(SigngateError):
    """A held request that was rejected or signed, or has expired."""

    code = Code.APPROVAL_CLOSED


class ScopeUnknownError(SigngateError):
    """The policy in force has nothing of the name that is to be stopped."""

    code = Code.SCOPE_UNKNOWN


class RateNotLowerError(SigngateError):
    """An emergency rate above the one in force: it can only be lowered."""

    code = Code.RATE_NOT_LOWER


class VersionNotFoundError(SigngateError):
    """There is no such version of a document."""

    code = Code.VERSION_NOT_FOUND


class DocumentInvalidError(SigngateError):
    """A proposed document is not valid, or names keys that the token cannot serve."""

    code = Code.DOCUMENT_INVALID


class DocumentUnchangedError(SigngateError):
    """A proposed document is the one in force."""

    code = Code.DOCUMENT_UNCHANGED


class RefusedError(SigngateError):
    """The policy refused; the caller is told the first reason's code only."""

    def __init__(
        self, reasons: tuple[Reason, ...], leaf_index: int, hold: str | None = None
    ) -> None:
        super().__init__(f"refused by policy: {reasons[0].code}")
        self.code = reasons[0].code
        self.leaf_index = leaf_index
        self.hold = hold


class ConflictError(SigngateError):
    """The request id is taken: by another payload, or by an attempt that still runs."""

    def __init__(self, code: Code) -> None:
        text = {
            Code.REQUEST_ID_REUSED: "the request id is bound to another key or payload",
            Code.REQUEST_IN_PROGRESS: "the first attempt of this request has not ended: retry",
        }
        super().__init__(text[code])
        self.code = code


class NoPublicKeyError(SigngateError):
    """An HMAC key has no public half."""

    code = Code.NO_PUBLIC_KEY


class NoCheckpointError(SigngateError):
    """No checkpoint has been published yet."""

    code = Code.NO_CHECKPOINT


class TooManyStreamsError(SigngateError):
    """The port's share of long-lived streams is taken."""

    code = Code.TOO_MANY_STREAMS


class RateLimitedError(SigngateError):
    """The caller or the key has had its share; there is room again after ``seconds``."""

    code = Code.RATE_LIMITED

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class DeadlineExceededError(SigngateError):
    """The caller has stopped waiting: nothing is decided for nobody."""

    code = Code.DEADLINE_EXCEEDED


class LedgerUnavailableError(SigngateError):
    """Nothing was decided, so nothing may be signed or released."""

    code = Code.LEDGER_UNAVAILABLE


class HsmError(SigngateError):
    """Base of what can go wrong at the token.

    ``certain`` says that no signature exists, so that the reservation is given back.
    The message names return codes and goes to the audit log, not to the caller.
    """

    code = Code.HSM_UNAVAILABLE
    certain = False

    @property
    def public(self) -> str:
        """What the caller is told: nothing about the token."""
        spent = "no signature was made" if self.certain else "it may have been signed"
        return f"the HSM did not give a signature; {spent}"


class HsmUnavailableError(HsmError):
    """No session could be had: nothing reached the token, so nothing is spent."""

    certain = True


class HsmOverloadedError(HsmUnavailableError):
    """The token is busy for longer than this request may wait: try again in ``seconds``."""

    code = Code.HSM_OVERLOADED

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class HsmRefusedError(HsmError):
    """The token refused for certain; no signature exists."""

    code = Code.HSM_REFUSED
    certain = True


class OutcomeUnknownError(HsmError):
    """The token may have signed: a time-out, a lost link. It counts as spent."""

    code = Code.OUTCOME_UNKNOWN


class SignatureInvalidError(HsmError):
    """The token returned a signature that does not verify; it is not released."""

    code = Code.SIGNATURE_INVALID
