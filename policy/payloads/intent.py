"""``intent``: a transfer that a bank-side or internal verifier will carry out.

The payload is a JSON object in the canonical form of RFC 8785, with exactly the
members of ``policy/schemas/intent.schema.json``; the signature covers its bytes.

Invariant: any bytes give facts or ``PayloadError``, nothing else.
"""

import re

from policy import fields
from policy.algorithms import Algorithm
from policy.amounts import MAX_AMOUNT
from policy.model import Decoded, Facts, Format, Transfer
from policy.payloads import canonical_json
from policy.reasons import Code, PayloadError

TAG = "intent"
ACTION = "intent.transfer"
SCHEMA = "signgate.intent/1"
MAX_EXPIRY = 253_402_300_799  # 9999-12-31T23:59:59Z

# Each member's grammar, and what to say of a value that does not fit it.
STRINGS = {
    "amount": (
        re.compile(r"[1-9][0-9]{0,77}", re.ASCII),
        "base units as a string of digits, from 1, without leading zeros",
    ),
    "asset": (
        re.compile(r"[A-Za-z0-9@:._/-]{1,100}", re.ASCII),
        "an asset's name, 1 to 100 of A-Z a-z 0-9 @ : . _ / -",
    ),
    "destination": (re.compile(r"[!-~]{1,128}", re.ASCII), "1 to 128 ASCII characters, no spaces"),
    "nonce": (re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII), "1 to 64 of A-Z a-z 0-9 . _ -"),
}
MEMBERS = frozenset({*STRINGS, "expiry", "schema"})


def decode(payload: bytes) -> Decoded:
    """Read a transfer intent.

    Raises:
        PayloadError: it is not one, or not in its canonical form.
    """
    return Decoded(facts(payload, ACTION), payload)


def facts(payload: bytes, action: str) -> Facts:
    """Read a transfer intent, whatever envelope it came in.

    Raises:
        PayloadError: it is not one, or not in its canonical form.
    """
    document = canonical_json.decode(payload)
    if document.get("schema") != SCHEMA:
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "$.schema", f'is not "{SCHEMA}"')
    if document.keys() != MEMBERS:
        wrong = min(document.keys() ^ MEMBERS)
        problem = "is missing" if wrong in MEMBERS else "is not a member of an intent"
        raise PayloadError(Code.PAYLOAD_MALFORMED, "$", f"{wrong[:64]!a} {problem}")
    asset, nonce = _string(document, "asset"), _string(document, "nonce")
    moved = Transfer(asset, _amount(document), _destination(document))
    return Facts(action, (moved,), expires_at=_expiry(document), nonce=nonce)


def _string(document: dict[str, object], member: str) -> str:
    value, (grammar, expected) = document[member], STRINGS[member]
    if isinstance(value, str) and grammar.fullmatch(value):
        return value
    raise PayloadError(Code.PAYLOAD_MALFORMED, f"$.{member}", f"is not {expected}")


def _amount(document: dict[str, object]) -> int:
    amount = int(_string(document, "amount"))
    if amount > MAX_AMOUNT:
        raise PayloadError(Code.PAYLOAD_MALFORMED, "$.amount", "is above 2^256 - 1")
    return amount


def _destination(document: dict[str, object]) -> str:
    destination = _string(document, "destination")
    try:
        return fields.address(destination)  # one spelling, so that a set can't be got round
    except ValueError as error:
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, "$.destination", str(error)) from None


def _expiry(document: dict[str, object]) -> int:
    expiry = document["expiry"]
    if type(expiry) is int and 0 < expiry <= MAX_EXPIRY:
        return expiry
    detail = f"is not whole seconds since the epoch, 1 to {MAX_EXPIRY}"
    raise PayloadError(Code.PAYLOAD_MALFORMED, "$.expiry", detail)


FORMAT = Format(
    tag=TAG, decode=decode, actions=frozenset({ACTION}), algorithms=frozenset(Algorithm)
)
