"""One small tree of errors. Each class has one code; rpc maps codes to statuses."""

from enum import StrEnum


class Code(StrEnum):
    """Stable codes for what is not a policy refusal. Never renamed, never reused."""

    INVALID_REQUEST = "INVALID_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    CALLER_NOT_ALLOWED = "CALLER_NOT_ALLOWED"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    REQUEST_IN_PROGRESS = "REQUEST_IN_PROGRESS"
    HSM_UNAVAILABLE = "HSM_UNAVAILABLE"
    HSM_REFUSED = "HSM_REFUSED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    DRAINING = "DRAINING"
    INTERNAL = "INTERNAL"


class SigngateError(Exception):
    """Base of every error that this service raises on purpose."""

    code = Code.INTERNAL


class ConfigError(SigngateError):
    """The service cannot start as configured; the message is for an operator, one line."""


class InvalidRequestError(SigngateError):
    """A request field is missing or out of range; the message names the field."""

    code = Code.INVALID_REQUEST


class LedgerUnavailableError(SigngateError):
    """Nothing was decided, so nothing may be signed or released."""

    code = Code.LEDGER_UNAVAILABLE


class HsmError(SigngateError):
    """Base of what can go wrong at the token."""

    code = Code.HSM_UNAVAILABLE


class HsmUnavailableError(HsmError):
    """No session could be had: nothing reached the token, so nothing is spent."""


class HsmRefusedError(HsmError):
    """The token refused for certain; no signature exists."""

    code = Code.HSM_REFUSED


class OutcomeUnknownError(HsmError):
    """The token may have signed: a time-out, a lost link. It counts as spent."""

    code = Code.OUTCOME_UNKNOWN


class SignatureInvalidError(HsmError):
    """The token returned a signature that does not verify; it is not released."""

    code = Code.SIGNATURE_INVALID
