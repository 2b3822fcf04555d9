"""``intent.cose``: a transfer intent within a COSE_Sign1 or COSE_Mac0 message.

Documented in ``docs/intent.cose.md``. The payload is what COSE signs, a Sig_structure
or MAC_structure (RFC 9052, sections 4.4 and 6.3), in the one encoding of CBOR. Its
protected header names algorithm and key version; the engine refuses any other key.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and writing what
was read gives the payload, which is also the message that is signed.
"""

from typing import NamedTuple

from msgspec.structs import replace

from policy.algorithms import Algorithm
from policy.model import Decoded, Format
from policy.payloads import cbor, intent
from policy.payloads.intent_jws import KEY_VERSION
from policy.reasons import Code, PayloadError

TAG, ACTION = "intent.cose", "intent.cose.transfer"
MAX_BYTES = 4096

# RFC 9053, sections 2.1, 2.2 and 3.1; RFC 8230, section 2; RFC 8812, sections 2 and 3.2.
NUMBERS = {
    Algorithm.ECDSA_P256: -7,
    Algorithm.ECDSA_SECP256K1: -47,
    Algorithm.ED25519: -8,
    Algorithm.RSA_PKCS1_SHA256: -257,
    Algorithm.RSA_PSS_SHA256: -37,
    Algorithm.HMAC_SHA256: 5,
    Algorithm.HMAC_SHA384: 6,
    Algorithm.HMAC_SHA512: 7,
}
# A header is a map of two labels: 1, the algorithm, and 4, the key identifier (section 3.1).
_HEADERS = {
    b"\xa2" + cbor.integer(1) + cbor.integer(number) + cbor.integer(4): algorithm
    for algorithm, number in NUMBERS.items()
}
_ARRAY, _EMPTY_MAP = b"\x84", b"\xa0"
_SIGN1, _MAC0 = (_ARRAY + cbor.text(context) for context in ("Signature1", "MAC0"))
_SIGN1_TAG, _MAC0_TAG = b"\xd2", b"\xd1"  # 18 and 17


class _Parts(NamedTuple):
    is_mac: bool
    protected: bytes
    body: bytes


def decode(payload: bytes) -> Decoded:
    """Read a Sig_structure or MAC_structure.

    Raises:
        PayloadError: it is not one, or not in its canonical form.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "cose", detail)
    parts = _parts(payload)
    algorithm, key_version = _header(parts.protected)
    if algorithm.is_mac != parts.is_mac:
        raise _malformed("cose.context", f"is not that of {algorithm}")
    facts = intent.facts(parts.body, ACTION)
    return Decoded(replace(facts, algorithm=algorithm, key_version=key_version), payload)


def assemble(payload: bytes, signature: bytes) -> bytes:
    """Return the tagged message (sections 4.2 and 6.2), with an empty unprotected header."""
    is_mac, protected, body = _parts(payload)
    tag = _MAC0_TAG if is_mac else _SIGN1_TAG
    tail = cbor.string(body) + cbor.string(signature)
    return tag + _ARRAY + cbor.string(protected) + _EMPTY_MAP + tail


def _parts(payload: bytes) -> _Parts:
    context = next((each for each in (_SIGN1, _MAC0) if payload.startswith(each)), None)
    if context is None:
        raise PayloadError(
            Code.PAYLOAD_UNSUPPORTED, "cose.context", "is neither Signature1 nor MAC0"
        )
    protected, at = cbor.read_string(payload, len(context), "cose.protected")
    external, at = cbor.read_string(payload, at, "cose.external_aad")
    body, at = cbor.read_string(payload, at, "cose.payload")
    if external or at != len(payload):
        raise _malformed("cose", "has external data, or something behind the payload")
    return _Parts(context is _MAC0, protected, body)


def _header(data: bytes) -> tuple[Algorithm, str]:
    start = next((start for start in _HEADERS if data.startswith(start)), None)
    if start is None:
        numbers = ", ".join(map(str, NUMBERS.values()))
        raise _malformed("cose.protected", f"is not {{1: one of {numbers}, 4: key version}}")
    kid, end = cbor.read_string(data, len(start), "cose.protected.kid")
    key_version = kid.decode("ascii", "replace")
    if end != len(data) or not KEY_VERSION.fullmatch(key_version):
        raise _malformed("cose.protected.kid", "is not keys/{key}/versions/{version}")
    return _HEADERS[start], key_version


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


FORMAT = Format(
    tag=TAG, decode=decode, actions=frozenset({ACTION}), algorithms=frozenset(Algorithm)
)
