"""One small tree of errors. Each class has one code; rpc maps codes to statuses.

An error tells its caller ``public``, which is its message unless the message
holds more than a caller may know.
"""

from policy.reasons import Code as PolicyCode
from policy.reasons import Explained, Reason

EXIT_RESTART = 75  # sysexits.h, EX_TEMPFAIL: what a process ends with when it should be restarted


class Code(Explained):
    """Stable codes for what is not a policy refusal. Never renamed, never reused."""

    INVALID_REQUEST = (
        "INVALID_REQUEST",
        "A field of the request is missing or out of range; the message names it.",
        "Fix the request.",
    )
    UNAUTHENTICATED = (
        "UNAUTHENTICATED",
        "The certificate has no usable SAN, or several.",
        "Get one with exactly one URI or DNS name.",
    )
    CALLER_NOT_ALLOWED = (
        "CALLER_NOT_ALLOWED",
        "The port does not serve this caller.",
        "Use the right port and certificate; else ask the operators.",
    )
    REQUEST_ID_REUSED = (
        "REQUEST_ID_REUSED",
        "The request id belongs to another key or payload.",
        "Use a new id for each new request.",
    )
    REQUEST_IN_PROGRESS = (
        "REQUEST_IN_PROGRESS",
        "The first attempt of this request has not ended.",
        "Repeat it with the same request id.",
    )
    NO_PUBLIC_KEY = (
        "NO_PUBLIC_KEY",
        "An HMAC key has no public half.",
        "Ask for the public key of another key.",
    )
    NO_CHECKPOINT = (
        "NO_CHECKPOINT",
        "The audit log has no checkpoint yet.",
        "Ask again in a second.",
    )
    TOO_MANY_STREAMS = (
        "TOO_MANY_STREAMS",
        "The port's share of long-lived streams is taken.",
        "End one, or read less often.",
    )
    OFFICER_REQUIRED = (
        "OFFICER_REQUIRED",
        "The root document does not name the caller for this.",
        "Let an officer do it.",
    )
    OWN_PROPOSAL = (
        "OWN_PROPOSAL",
        "Nobody approves a proposal of their own.",
        "Ask another officer.",
    )
    PROPOSAL_NOT_FOUND = (
        "PROPOSAL_NOT_FOUND",
        "There is no such proposal.",
        "List the proposals and check the name.",
    )
    PROPOSAL_CLOSED = (
        "PROPOSAL_CLOSED",
        "The proposal was rejected, carried out or left to expire, or lost its author.",
        "Propose it again.",
    )
    PROPOSAL_STALE = (
        "PROPOSAL_STALE",
        "Another version is in force than the one the proposal would replace.",
        "Look at the new difference and propose again.",
    )
    PROPOSAL_MISMATCH = (
        "PROPOSAL_MISMATCH",
        "The approval names another document than the proposal's.",
        "Read the proposal again, and approve what was read.",
    )
    QUORUM_REQUIRED = (
        "QUORUM_REQUIRED",
        "Approvals are missing, or the waiting time is not over.",
        "Get the approvals, or wait.",
    )
    APPROVAL_NOT_FOUND = (
        "APPROVAL_NOT_FOUND",
        "There is no such held request, or it is not for the caller to decide on.",
        "List the approvals and check the name.",
    )
    APPROVAL_CLOSED = (
        "APPROVAL_CLOSED",
        "The held request was rejected or signed, or has expired.",
        "Nothing is to be done; one that has expired is held anew when it is repeated.",
    )
    SCOPE_UNKNOWN = (
        "SCOPE_UNKNOWN",
        "The policy in force does not have the name that is to be frozen or slowed.",
        "Check the spelling; say that it may be unknown if it is right.",
    )
    RATE_NOT_LOWER = (
        "RATE_NOT_LOWER",
        "A lower emergency rate is in force, and it can only be lowered.",
        "Have officers ask for its end.",
    )
    RATE_LIMITED = (
        "RATE_LIMITED",
        "The caller sends more, or has more under way, than its share.",
        "Slow down, and repeat it with the same request id after the time that it says.",
    )
    VERSION_NOT_FOUND = (
        "VERSION_NOT_FOUND",
        "There has never been such a version.",
        "List the versions and check the number.",
    )
    DOCUMENT_INVALID = (
        "DOCUMENT_INVALID",
        "The document is not valid; the message has every problem.",
        "Fix it; check it first, without the service.",
    )
    DOCUMENT_UNCHANGED = (
        "DOCUMENT_UNCHANGED",
        "The document is in force already.",
        "Nothing is to be done.",
    )
    HSM_UNAVAILABLE = (
        "HSM_UNAVAILABLE",
        "The HSM cannot be reached; no signature was made, and nothing is spent.",
        "Repeat it with the same request id.",
    )
    HSM_OVERLOADED = (
        "HSM_OVERLOADED",
        "The HSM is busy for longer than the request may wait; nothing is spent.",
        "Slow down, then repeat it with the same request id.",
    )
    HSM_REFUSED = (
        "HSM_REFUSED",
        "The HSM refused for certain; no signature exists, and nothing is spent.",
        "Report it to the operators.",
    )
    SIGNATURE_INVALID = (
        "SIGNATURE_INVALID",
        "The HSM gave a signature that does not verify, so that it was not released.",
        "Report it at once: the HSM may be faulty.",
    )
    OUTCOME_UNKNOWN = (
        "OUTCOME_UNKNOWN",
        "The HSM may have signed; the amount counts as spent.",
        "Repeat it with the same request id, which is charged once.",
    )
    LEDGER_UNAVAILABLE = (
        "LEDGER_UNAVAILABLE",
        "Nothing could be decided, and nothing was signed.",
        "Repeat it with the same request id.",
    )
    DEADLINE_EXCEEDED = (
        "DEADLINE_EXCEEDED",
        "The deadline was over before an answer was there.",
        "Repeat it with the same request id, and a longer deadline.",
    )
    DRAINING = (
        "DRAINING",
        "The server is shutting down and takes no new calls.",
        "Repeat it with the same request id: another server answers.",
    )
    INTERNAL = (
        "INTERNAL",
        "A bug; the message has a reference to the server's log.",
        "Report it with the reference.",
    )


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
