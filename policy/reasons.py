"""Why a request was refused: stable codes, and one reason type."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Explained(StrEnum):
    """A stable code with what it means and what to do about it, for whoever is told it.

    Both are sentences of the published table of refusals, so they tell no more than
    every caller may know.
    """

    meaning: str
    advice: str

    def __new__(cls, code: str, meaning: str, advice: str) -> Self:
        """Return the member; each is found by its code alone."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning, member.advice = meaning, advice
        return member


class Code(Explained):
    """A stable refusal code. Codes are never renamed and never reused."""

    # The caller and the key. An unknown key and a forbidden one look the same.
    KEY_DENIED = (
        "KEY_DENIED",
        "The key does not exist, or no grant on it names the caller: the two look the same.",
        "Check the key's name and version; else ask the security team for a grant.",
    )
    FORMAT_NOT_ALLOWED = (
        "FORMAT_NOT_ALLOWED",
        "The key does not take payloads of this format.",
        "Use a key that does.",
    )
    # The payload.
    PAYLOAD_TOO_LARGE = (
        "PAYLOAD_TOO_LARGE",
        "The payload has more bytes than are decoded.",
        "Send a smaller one.",
    )
    PAYLOAD_MALFORMED = (
        "PAYLOAD_MALFORMED",
        "The payload is not what its format says.",
        "Fix whatever writes it; `signgate payloads decode` says where it is wrong.",
    )
    PAYLOAD_NOT_CANONICAL = (
        "PAYLOAD_NOT_CANONICAL",
        "The payload can be read, but it is not in the one encoding that is signed.",
        "Encode it as the format asks; `signgate payloads decode` says where it differs.",
    )
    PAYLOAD_UNSUPPORTED = (
        "PAYLOAD_UNSUPPORTED",
        "The format, or what the payload does, is not known here, so that no rule could judge it.",
        "Use what `signgate payloads list` shows.",
    )
    PAYLOAD_EXPIRED = (
        "PAYLOAD_EXPIRED",
        "The payload says that it has expired.",
        "Make a new one, and check the clocks.",
    )
    PAYLOAD_TIMESTAMP = (
        "PAYLOAD_TIMESTAMP",
        "The payload's own time is more than a minute off.",
        "Make it just before it is sent, and check the clocks.",
    )
    PAYLOAD_SIGNER = (
        "PAYLOAD_SIGNER",
        "The payload says that another key signs it.",
        "Name the key that is asked to sign, in the payload or in the request.",
    )
    CALL_NOT_PINNED = (
        "CALL_NOT_PINNED",
        "The payload calls a contract in a way that the policy does not read.",
        "Check contract, method and arguments; else ask the security team to pin the call.",
    )
    # Grants.
    ACTION_NOT_ALLOWED = (
        "ACTION_NOT_ALLOWED",
        "No grant lets the caller do this with the key.",
        "Ask the security team for a grant.",
    )
    CHAIN_NOT_ALLOWED = (
        "CHAIN_NOT_ALLOWED",
        "The payload is for another chain than is granted.",
        "Check the chain id; else ask the security team.",
    )
    ASSET_UNKNOWN = (
        "ASSET_UNKNOWN",
        "The policy does not know the asset; a token is its contract, not its name.",
        "Check the contract; else ask the security team to define it.",
    )
    ASSET_NOT_ALLOWED = (
        "ASSET_NOT_ALLOWED",
        "The asset is not granted; or the payload moves nothing where the grant is for something.",
        "Ask the security team for a grant.",
    )
    DESTINATION_NOT_ALLOWED = (
        "DESTINATION_NOT_ALLOWED",
        "A destination is on no list that is granted.",
        "Check the address; a new one is reviewed by the security team.",
    )
    SOURCE_NOT_ALLOWED = (
        "SOURCE_NOT_ALLOWED",
        "The payload moves funds of an account that is not granted.",
        "Check whose funds it moves; else ask the security team.",
    )
    ORDER_NOT_ALLOWED = (
        "ORDER_NOT_ALLOWED",
        "The venue, symbol, side or type of the order is not granted.",
        "Check the order; else ask the security team.",
    )
    PRICE_NOT_ALLOWED = (
        "PRICE_NOT_ALLOWED",
        "The order's price is worse than granted, or it has none.",
        "Send an order with a limit price within the bounds.",
    )
    SESSION_NOT_ALLOWED = (
        "SESSION_NOT_ALLOWED",
        "The payload opens a session, which needs a grant of its own.",
        "Sign single requests, or ask the security team.",
    )
    NETWORK_NOT_ALLOWED = (
        "NETWORK_NOT_ALLOWED",
        "The caller's address is in no network that is granted.",
        "Call from where the service belongs.",
    )
    EXPIRY_NOT_ALLOWED = (
        "EXPIRY_NOT_ALLOWED",
        "The payload is good for longer than is granted.",
        "Let it expire earlier: an hour ahead where the grant says nothing.",
    )
    GRANT_NOT_IN_FORCE = (
        "GRANT_NOT_IN_FORCE",
        "The grant has not begun, or has ended.",
        "Ask the security team to renew it.",
    )
    OUTSIDE_HOURS = (
        "OUTSIDE_HOURS",
        "The grant is closed at this time.",
        "Wait until it opens.",
    )
    APPROVAL_REQUIRED = (
        "APPROVAL_REQUIRED",
        "The amount needs the approval of other people.",
        "Get it from the approvers, then repeat the request with the same request id.",
    )
    APPROVAL_REJECTED = (
        "APPROVAL_REJECTED",
        "An approver has rejected this request for good.",
        "Ask the approver why; a new request needs an id of its own.",
    )
    APPROVAL_BACKLOG = (
        "APPROVAL_BACKLOG",
        "Too many of the caller's requests wait for approvals already.",
        "Have those decided on, then repeat it with the same request id.",
    )
    VALIDATION_NOT_ALLOWED = (
        "VALIDATION_NOT_ALLOWED",
        "Asking what would be allowed needs a permission of its own on the key.",
        "Ask the security team to add the caller to the key's validators.",
    )
    # Limits.
    NO_LIMIT_FOR_ASSET = (
        "NO_LIMIT_FOR_ASSET",
        "The key has no limit on an asset that would move, fees included, so that it cannot.",
        "Ask the security team for a limit.",
    )
    LIMIT_PER_REQUEST = (
        "LIMIT_PER_REQUEST",
        "The sum of one asset is more than one request may move.",
        "Split it if that is right; else ask the security team.",
    )
    LIMIT_WINDOW_TOTAL = (
        "LIMIT_WINDOW_TOTAL",
        "The rolling window has no room for the amount.",
        "Repeat it with the same request id once earlier requests have left the window.",
    )
    LIMIT_WINDOW_COUNT = (
        "LIMIT_WINDOW_COUNT",
        "The rolling window has no room for another request.",
        "Repeat it later with the same request id.",
    )
    # Control.
    FROZEN = (
        "FROZEN",
        "An officer has frozen the key, its group, the caller, the asset, the destination or all.",
        "Wait for the security team; do not work around it.",
    )
    EMERGENCY_RATE = (
        "EMERGENCY_RATE",
        "An officer has slowed the key, its group, the caller, the asset, the destination or all.",
        "Repeat it a minute later with the same request id.",
    )


# What no grant or limit gives: people do, for as long as they want.
CONTROL = frozenset(
    {
        Code.FROZEN,
        Code.EMERGENCY_RATE,
        Code.APPROVAL_REJECTED,
        Code.APPROVAL_BACKLOG,
    }
)


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
