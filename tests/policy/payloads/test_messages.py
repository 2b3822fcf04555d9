"""Personal messages: text for people, and nothing that could stand for something else."""

import json
from collections.abc import Mapping

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from policy.algorithms import Digest
from policy.model import Facts
from policy.payloads import decode, ethereum, printable
from policy.payloads.ethereum.message import MAX_BYTES
from policy.reasons import Code, PayloadError
from tests.policy.payloads.examples import VALID, dynamic_fee, legacy, oracle, refusal

TAG = "ethereum.message"
KEY = Account.from_key(b"\x46" * 32)
MALFORMED, NOT_CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
UNSUPPORTED, TOO_LARGE = Code.PAYLOAD_UNSUPPORTED, Code.PAYLOAD_TOO_LARGE

ACCEPTED = (
    *VALID[TAG][:2],
    b"hello",
    b"My address is 0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826.",
    "Zażółć gęślą jaźń — 東京 🚀".encode(),
    b"x" * 31,
    b"no word here is long " * 90,
    b"0" * 42,
)


@pytest.mark.parametrize("payload", ACCEPTED)
def test_a_text_is_signed_as_wallets_do(payload: bytes) -> None:
    """The facts hold the text and open a session; an oracle recovers the signer."""
    decoded = decode(TAG, payload)
    assert decoded.facts == Facts(TAG, (), session=True, text=payload.decode())
    assert decoded.digest is Digest.KECCAK256
    signed = KEY.unsafe_sign_hash(ethereum.signing_hash(decoded.message))
    signable = encode_defunct(primitive=payload)
    assert Account.recover_message(signable, signature=signed.signature) == KEY.address


def test_the_worked_example_of_eip_191_comes_out() -> None:
    """The hash of "Hello World" is the published one of ``personal_sign``."""
    message = decode(TAG, b"Hello World").message
    assert message == b"\x19Ethereum Signed Message:\n11Hello World"
    assert ethereum.signing_hash(message).hex() == (
        "a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2"
    )


HOSTILE: Mapping[str, tuple[bytes, Code]] = {
    "nothing": (b"", UNSUPPORTED),
    "a space": (b" ", UNSUPPORTED),
    "line ends": (b"\n\n", UNSUPPORTED),
    "32 random bytes": (bytes(range(0x60, 0x80)).replace(b"\x7f", b"\xff"), MALFORMED),
    "32 printable bytes": (b"a" * 16 + b" " * 15 + b"b", UNSUPPORTED),
    "32 bytes of other letters": ("é".encode() * 16, UNSUPPORTED),
    "a digest in hexadecimal": (b"8a" * 32, UNSUPPORTED),
    "a digest with 0x": (b"0x" + b"8a" * 32, UNSUPPORTED),
    "a digest in capitals": (b"0X" + b"8A" * 32, UNSUPPORTED),
    "a digest behind words": (b"Please sign 0x" + b"8a" * 32, UNSUPPORTED),
    "a digest before words": (b"8a" * 32 + b" is good", UNSUPPORTED),
    "a digest in quotes": (b'"0x' + b"8a" * 32 + b'"', UNSUPPORTED),
    "a digest on a line of its own": (b"a\n0x" + b"8a" * 32 + b"\nb", UNSUPPORTED),
    "a digest in base 64": (b"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", UNSUPPORTED),
    "a digest in base 64 for URLs": (b"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0", UNSUPPORTED),
    "a digest in base 58": (b"4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi", UNSUPPORTED),
    "a signature": (b"0x" + b"8a" * 65, UNSUPPORTED),
    "a transaction": (dynamic_fee(), MALFORMED),
    "a legacy transaction": (legacy(), MALFORMED),
    "a transaction in hexadecimal": (b"0x" + dynamic_fee().hex().encode(), UNSUPPORTED),
    "typed data": (VALID["ethereum.typed-data"][0], UNSUPPORTED),
    "typed data behind a space": (b" \n" + VALID["ethereum.typed-data"][0], UNSUPPORTED),
    "JSON": (json.dumps({"action": "withdraw"}).encode(), UNSUPPORTED),
    "a list": (b"[1]", UNSUPPORTED),
    "what typed data hashes to": (b"\x19\x01" + bytes(64), NOT_CANONICAL),
    "the prefix itself": (b"\x19Ethereum Signed Message:\n5hello", NOT_CANONICAL),
    "a zero byte": (b"hello\0", NOT_CANONICAL),
    "a tab": (b"a\tb", NOT_CANONICAL),
    "a carriage return": (b"a\r\nb", NOT_CANONICAL),
    "an escape": (b"a\x1b[2Kb", NOT_CANONICAL),
    "delete": (b"a\x7f", NOT_CANONICAL),
    "a control of Latin-1": ("a\x85b".encode(), NOT_CANONICAL),
    "Latin-1": (b"caf\xe9", MALFORMED),
    "over-long UTF-8": (b"\xc0\xaf", MALFORMED),
    "a surrogate": ("\ud800".encode("utf-8", "surrogatepass"), MALFORMED),
    "UTF-16": ("hello".encode("utf-16"), MALFORMED),
    "a byte order mark": (b"\xef\xbb\xbfhello", NOT_CANONICAL),
    "right to left": ("pay \u202e001 to".encode(), NOT_CANONICAL),
    "an isolate": ("pay \u2066100\u2069".encode(), NOT_CANONICAL),
    "zero width": ("pa\u200by".encode(), NOT_CANONICAL),
    "a joiner": ("pa\u200dy".encode(), NOT_CANONICAL),
    "a soft hyphen": ("pa\u00ady".encode(), NOT_CANONICAL),
    "a no-break space": ("pay\u00a0100".encode(), NOT_CANONICAL),
    "a wide space": ("pay\u3000100".encode(), NOT_CANONICAL),
    "a line separator": ("pay\u2028100".encode(), NOT_CANONICAL),
    "a filler": ("pay\u3164100".encode(), NOT_CANONICAL),
    "a blank braille cell": ("pay\u2800100".encode(), NOT_CANONICAL),
    "a variation selector": ("pay\ufe0f100".encode(), NOT_CANONICAL),
    "a tag": ("pay\U000e0041".encode(), NOT_CANONICAL),
    "a supplementary selector": ("pay\U000e0100".encode(), NOT_CANONICAL),
    "a private character": ("pay\ue000".encode(), NOT_CANONICAL),
    "an unassigned character": ("pay\u0378".encode(), NOT_CANONICAL),
    "letters not composed": ("cafe\u0301".encode(), NOT_CANONICAL),
    "a letter with another name": ("\u212b".encode(), NOT_CANONICAL),
    "a byte too long": (b"a " * (MAX_BYTES // 2) + b"a", TOO_LARGE),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_text_for_people_is_refused(name: str) -> None:
    """Hashes, documents, transactions, hidden and ambiguous characters have their reasons."""
    payload, code = HOSTILE[name]
    reason = refusal(TAG, payload)
    assert (reason.code, reason.rule) == (code, "message")


def test_exactly_the_longest_text_is_read() -> None:
    """The last byte that fits is read."""
    assert decode(TAG, b"a " * (MAX_BYTES // 2)).message


@pytest.mark.long
@oracle
@given(st.text(max_size=80))
def test_any_text_is_the_oracles_or_refused(text: str) -> None:
    """What is accepted has the oracle's message and no character that hides."""
    payload = text.encode("utf-8", "surrogatepass")
    try:
        decoded = decode(TAG, payload)
    except PayloadError:
        return
    signable = encode_defunct(primitive=payload)
    assert decoded.message == b"\x19" + signable.version + signable.header + signable.body
    assert printable.problem(text) is None
    assert all(character == "\n" or character.isprintable() for character in text)
