"""``ethereum.message``: a text, signed as ``personal_sign`` does.

Documented in ``docs/ethereum.message.md``. The payload is the text in UTF-8. What is
signed has a prefix that no transaction and no typed data begins with (EIP-191, version
0x45). What a text means, only its reader knows: so a grant must allow a session, and
what could be something else than a text for people is refused.

Invariant: any bytes give facts or ``PayloadError``, nothing else.
"""

import re

from policy.algorithms import Algorithm, Digest
from policy.model import Decoded, Facts, Format
from policy.payloads import printable
from policy.payloads.ethereum import sign_in
from policy.reasons import Code, PayloadError

TAG = "ethereum.message"
ACTION = "ethereum.message"
MAX_BYTES = 2048
DIGEST = 32
# A hash or a signature in hexadecimal, base 58 or base 64: 32 bytes have 43 characters
# of base 64 and no fewer of the others.
_OPAQUE = re.compile(r"[0-9A-Za-z+/_=-]{43,}", re.ASCII)
_DOCUMENT = ("{", "[")


def decode(payload: bytes) -> Decoded:
    """Read a text.

    Raises:
        PayloadError: it is not text, hides something, or may stand for something else.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "message", detail)
    text = _text(payload)
    problem = _problem(payload, text)
    if problem:
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "message", problem)
    facts = sign_in.read(text) or Facts(ACTION, (), session=True, text=text)
    prefix = b"\x19Ethereum Signed Message:\n%d" % len(payload)
    return Decoded(facts, prefix + payload, Digest.KECCAK256)


def _text(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise PayloadError(Code.PAYLOAD_MALFORMED, "message", "is not UTF-8") from None
    problem = printable.problem(text)
    if problem:
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, "message", problem)
    return text


def _problem(payload: bytes, text: str) -> str | None:
    """Say what else than a text for people this may be."""
    if len(payload) == DIGEST:
        return "has 32 bytes, like the hashes that contracts ask wallets to sign"
    if not text.strip():
        return "is empty"
    if text.lstrip().startswith(_DOCUMENT):
        return "begins like JSON: typed data has a format of its own"
    opaque = _OPAQUE.search(text)
    if opaque:
        return f"holds {opaque[0][:20]}..., which may be a hash of anything"
    return None


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ACTION, sign_in.ACTION}),
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
)
