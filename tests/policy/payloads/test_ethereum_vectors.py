"""Vectors of the Ethereum project's own test suite, each without its signature.

``ethereum_vectors.json`` has the published figures by their names: what no RLP decoder may
take, and signed transactions that are valid and invalid. A payload is what was signed: the
bytes before the signature as they are, their errors included, under a length that fits again.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import coincurve
import pytest

from policy.keccak import keccak256
from policy.payloads import decode, ethereum
from policy.payloads.ethereum import rlp
from policy.reasons import Code, PayloadError

TAG = "ethereum.transaction"
VECTORS = json.loads((Path(__file__).parent / "ethereum_vectors.json").read_text(encoding="ascii"))
VALID, INVALID = VECTORS["transactions"], VECTORS["transactions invalid"]
NOT_A_LIST = {"RLPTransactionGivenAsArray", "TRANSCT_HeaderGivenAsArray_0"}
_SIGNATURE = re.compile(rb"(.)\xa0(.{32})\xa0(.{32})(?=.{0,2}\Z)", re.DOTALL)
_EIP_155 = bytes.fromhex("018080")  # chain 1, and two empty items


class Signed(NamedTuple):
    """What was signed, r || s, and the parity of y."""

    payload: bytes
    signature: bytes
    y_parity: int


def _taken_apart(raw: bytes) -> Signed:
    start = 1 if raw[0] < 3 else 0
    found = _SIGNATURE.search(raw)
    assert found is not None
    last = b"" if start else _EIP_155
    size = raw[start] - 0xF7 if raw[start] >= 0xF8 else raw[start] - 0xB7
    length = int.from_bytes(raw[start + 1 : start + 1 + size]) + len(last) - len(found[0])
    kind = 0xC0 if raw[start] >= 0xF8 else 0x80
    header = bytes((kind + length,)) if length < 56 else bytes((kind + 0x38, length))
    body = raw[start + 1 + size : found.start()] + last + raw[found.end() :]
    v = 0 if found[1] == b"\x80" else found[1][0]
    return Signed(raw[:start] + header + body, found[2] + found[3], 1 - v % 2 if last else v)


def test_all_vectors_are_there() -> None:
    """None of those that can be taken apart was left out."""
    assert {name: len(vectors) for name, vectors in VECTORS.items()} == {
        "RLP invalid": 17,
        "transactions": 12,
        "transactions invalid": 54,
    }


@pytest.mark.parametrize("name", VECTORS["RLP invalid"])
def test_invalid_rlp_is_refused(name: str) -> None:
    """What the suite calls invalid is never decoded, neither alone nor as a transaction."""
    data = bytes.fromhex(VECTORS["RLP invalid"][name])
    with pytest.raises(PayloadError):
        rlp.decode(data, "vector")
    with pytest.raises(PayloadError):
        decode(TAG, b"\2" + data)


@pytest.mark.parametrize("name", VALID)
def test_a_valid_transaction_comes_out_as_published(name: str) -> None:
    """With its signature the payload is the published transaction, by the published sender."""
    raw = bytes.fromhex(VALID[name]["signed"])
    payload, signature, y_parity = _taken_apart(raw)
    message = decode(TAG, payload).message
    assert ethereum.assemble(payload, signature, y_parity) == raw
    assert keccak256(raw).hex() == VALID[name]["hash"]
    signer = coincurve.PublicKey.from_signature_and_message(
        signature + bytes((y_parity,)), ethereum.signing_hash(message), hasher=None
    )
    sender = keccak256(signer.format(compressed=False)[1:])[-20:]
    assert sender.hex() == VALID[name]["sender"]


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_transaction_is_refused(name: str) -> None:
    """What the suite calls invalid is refused for what is wrong with it, not for a signature."""
    raw = bytes.fromhex(INVALID[name])
    with pytest.raises(PayloadError) as caught:
        decode(TAG, _taken_apart(raw).payload)
    if name in NOT_A_LIST:
        assert caught.value.reason.rule == "transaction.type"
    else:
        assert caught.value.reason.code in {Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL}
    with pytest.raises(PayloadError):
        decode(TAG, raw)
