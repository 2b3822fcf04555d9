"""``intent.jws``: a transfer intent within a JSON Web Signature.

Documented in ``docs/intent.jws.md``. The payload is the JWS signing input (RFC 7515,
section 5.1): the protected header and the intent, both of them canonical JSON, in
Base64 with a point between. The header names algorithm and key version, so that a
verifier needs nothing else; the engine refuses any other key.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and writing what
was read gives the payload, which is also the message that is signed.
"""

import re

from msgspec.structs import replace

from policy.algorithms import Algorithm
from policy.model import Decoded, Format
from policy.payloads import base64url, canonical_json, intent
from policy.reasons import Code, PayloadError

TAG, ACTION = "intent.jws", "intent.jws.transfer"
TYPE = "signgate-intent+jws"
KEY_VERSION = re.compile(
    r"keys/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/versions/[1-9][0-9]{0,8}", re.ASCII
)
MAX_BYTES = 4096

# RFC 7518, section 3.1; RFC 8037, section 3.1; RFC 8812, section 3.2; RFC 9864, section 2.2.
ALGORITHMS = {
    "ES256": Algorithm.ECDSA_P256,
    "ES256K": Algorithm.ECDSA_SECP256K1,
    "Ed25519": Algorithm.ED25519,
    "EdDSA": Algorithm.ED25519,  # what most libraries still call it
    "RS256": Algorithm.RSA_PKCS1_SHA256,
    "PS256": Algorithm.RSA_PSS_SHA256,
    "HS256": Algorithm.HMAC_SHA256,
    "HS384": Algorithm.HMAC_SHA384,
    "HS512": Algorithm.HMAC_SHA512,
}
_MEMBERS = {"alg", "kid", "typ"}


def decode(payload: bytes) -> Decoded:
    """Read a signing input.

    Raises:
        PayloadError: it is not one, or not in its canonical form.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "jws", detail)
    if not payload.isascii():
        raise PayloadError(Code.PAYLOAD_MALFORMED, "jws", "is not ASCII")
    header, _, body = payload.decode("ascii").partition(".")
    algorithm, key_version = _header(base64url.decode(header, "jws.header"))
    facts = intent.facts(base64url.decode(body, "jws.payload"), ACTION)
    return Decoded(replace(facts, algorithm=algorithm, key_version=key_version), payload)


def assemble(payload: bytes, signature: bytes) -> str:
    """Return the compact serialisation (section 7.1)."""
    return f"{payload.decode('ascii')}.{base64url.encode(signature)}"


def _header(data: bytes) -> tuple[Algorithm, str]:
    header = canonical_json.decode(data)
    if header.keys() != _MEMBERS:
        raise _malformed("jws.header", f"the members are: {', '.join(sorted(_MEMBERS))}")
    if header["typ"] != TYPE:
        raise _malformed("jws.header.typ", f'is not "{TYPE}"')
    name, kid = header["alg"], header["kid"]
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise _malformed("jws.header.alg", f"is not one of {', '.join(ALGORITHMS)}")
    if not isinstance(kid, str) or not KEY_VERSION.fullmatch(kid):
        raise _malformed("jws.header.kid", "is not keys/{key}/versions/{version}")
    return ALGORITHMS[name], kid


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


FORMAT = Format(
    tag=TAG, decode=decode, actions=frozenset({ACTION}), algorithms=frozenset(Algorithm)
)
