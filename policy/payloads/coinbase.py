"""``coinbase.jwt``: a token that opens Coinbase's interfaces for two minutes.

Documented in ``docs/coinbase.jwt.md``. A token names at most one endpoint, and never
what is sent there: whoever holds it may send any order. So it is a session, and
one that can only read has an action of its own.

The payload is what is signed, header and claims in Base64 (RFC 7515, section 5.1),
both of them canonical JSON.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and writing what
was read gives the payload.
"""

import re
from typing import Any

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format
from policy.payloads import base64url, canonical_json
from policy.payloads.exchange import request
from policy.reasons import Code, PayloadError

TAG = "coinbase.jwt"
SESSION, READ = "coinbase.session", "coinbase.read"
LIFETIME_S = 120  # the most that the venue takes

_NAME = re.compile(r"[A-Za-z0-9/-]{1,128}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9]{8,64}", re.ASCII)
_ENDPOINT = re.compile(r"(GET|POST|PUT|DELETE) api\.coinbase\.com/[A-Za-z0-9/_-]{1,128}", re.ASCII)
_SECONDS = range(10**9, 10**10)
_ALGORITHMS = ("ES256", "EdDSA")
_HEADER = frozenset({"alg", "kid", "nonce", "typ"})
_CLAIMS = frozenset({"exp", "iss", "nbf", "sub", "uri"})


def decode(payload: bytes) -> Decoded:
    """Read a token before it is signed.

    Raises:
        PayloadError: it is not one, not canonical, or lives too long.
    """
    header_part, _, claims_part = request.text(payload).partition(".")
    header = _object(header_part, _HEADER, "token.header")
    claims = _object(claims_part, _CLAIMS, "token.claims")
    key = _text(header["kid"], _NAME, "token.header.kid")
    if header["alg"] not in _ALGORITHMS or header["typ"] != "JWT":
        raise _malformed("token.header", "is not a JWT by ES256 or EdDSA")
    if claims["sub"] != key or claims["iss"] != "cdp":
        raise _malformed("token.claims", "are not issued by cdp to the header's key")
    endpoint = _text(claims["uri"], _ENDPOINT, "token.claims.uri")
    not_before, expiry = _life(claims)
    facts = Facts(
        READ if endpoint.startswith("GET ") else SESSION,
        (),
        expires_at=expiry,
        nonce=_text(header["nonce"], _NONCE, "token.header.nonce"),
        venue="coinbase",
        timestamp=not_before * 1000,
        session=True,
    )
    return Decoded(facts, payload)


def _object(part: str, members: frozenset[str], where: str) -> dict[str, Any]:
    document = canonical_json.decode(base64url.decode(part, where))
    if document.keys() != members:
        raise _malformed(where, f"the members are: {', '.join(sorted(members))}")
    return document


def _life(claims: dict[str, Any]) -> tuple[int, int]:
    """Return from when and until when the token is valid, in seconds."""
    start, end = claims["nbf"], claims["exp"]
    whole = type(start) is int and type(end) is int
    if whole and start in _SECONDS and 0 < end - start <= LIFETIME_S:
        return start, end
    raise _malformed("token.claims.exp", f"is not 1 to {LIFETIME_S} seconds after nbf, in seconds")


def _text(value: object, grammar: re.Pattern[str], where: str) -> str:
    if isinstance(value, str) and grammar.fullmatch(value):
        return value
    raise _malformed(where, f"is not {grammar.pattern}")


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({SESSION, READ}),
    algorithms=frozenset({Algorithm.ECDSA_P256, Algorithm.ED25519}),
)
