"""Why a request was refused: stable codes, and one reason type."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """A stable refusal code. Codes are never renamed and never reused."""

    # The caller and the key. An unknown key and a forbidden one look the same.
    KEY_DENIED = "KEY_DENIED"
    FORMAT_NOT_ALLOWED = "FORMAT_NOT_ALLOWED"
    # The payload.
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    PAYLOAD_MALFORMED = "PAYLOAD_MALFORMED"
    PAYLOAD_NOT_CANONICAL = "PAYLOAD_NOT_CANONICAL"
    PAYLOAD_UNSUPPORTED = "PAYLOAD_UNSUPPORTED"
    PAYLOAD_EXPIRED = "PAYLOAD_EXPIRED"
    PAYLOAD_TIMESTAMP = "PAYLOAD_TIMESTAMP"
    PAYLOAD_SIGNER = "PAYLOAD_SIGNER"
    # Grants.
    ACTION_NOT_ALLOWED = "ACTION_NOT_ALLOWED"
    CHAIN_NOT_ALLOWED = "CHAIN_NOT_ALLOWED"
    ASSET_UNKNOWN = "ASSET_UNKNOWN"
    ASSET_NOT_ALLOWED = "ASSET_NOT_ALLOWED"
    DESTINATION_NOT_ALLOWED = "DESTINATION_NOT_ALLOWED"
    SOURCE_NOT_ALLOWED = "SOURCE_NOT_ALLOWED"
    ORDER_NOT_ALLOWED = "ORDER_NOT_ALLOWED"
    PRICE_NOT_ALLOWED = "PRICE_NOT_ALLOWED"
    SESSION_NOT_ALLOWED = "SESSION_NOT_ALLOWED"
    NETWORK_NOT_ALLOWED = "NETWORK_NOT_ALLOWED"
    GRANT_NOT_IN_FORCE = "GRANT_NOT_IN_FORCE"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    # Limits.
    NO_LIMIT_FOR_ASSET = "NO_LIMIT_FOR_ASSET"
    LIMIT_PER_REQUEST = "LIMIT_PER_REQUEST"
    LIMIT_WINDOW_TOTAL = "LIMIT_WINDOW_TOTAL"
    LIMIT_WINDOW_COUNT = "LIMIT_WINDOW_COUNT"
    # Control.
    FROZEN = "FROZEN"


CONTROL = frozenset({Code.FROZEN})  # what no policy gives: officers do, for as long as they want


@dataclass(frozen=True, slots=True)
class Reason:
    """One failed rule.

    ``rule`` is the rule's path in the policy document
    (``keys.wd-usdc.grants.payouts.destinations``) or the place in the payload;
    ``detail`` says in full what was found and what would be right. Neither
    leaves the service except in the audit log.
    """

    code: Code
    rule: str
    detail: str


class PayloadError(Exception):
    """The one error of every decoder: the payload is refused, and why.

    ``where`` is a place in the payload (``transaction.to``, ``$.amount``).
    """

    def __init__(self, code: Code, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}")
        self.reason = Reason(code, where, detail)
