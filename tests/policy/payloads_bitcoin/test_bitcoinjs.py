"""What bitcoinjs-lib, a JavaScript library, makes of signed PSBTs (recorded by ``make peers``)."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policy.payloads import decode
from policy.payloads.bitcoin import TAG
from tests.peers import psbts
from tests.policy.payloads_bitcoin.drafts import Draft
from tests.policy.payloads_bitcoin.test_psbt_signed import sign

Record = dict[str, Any]

RECORDED: dict[str, Record] = {
    record["payload"]: record
    for record in json.loads(
        (Path(__file__).parents[2] / "peers/bitcoinjs.json").read_text(encoding="utf-8")
    )
}


@pytest.fixture(scope="module")
def found() -> list[tuple[str, Draft, Record]]:
    """Return every lock's name and PSBT with what the peer made of it."""
    return list(_found())


def _found() -> Iterator[tuple[str, Draft, Record]]:
    for lock, made in psbts.drafts():
        yield lock, made, RECORDED[psbts.name(made.payload())]


def _hash(transaction: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(transaction).digest()).digest()[::-1].hex()


def test_every_psbt_is_recorded() -> None:
    """Whoever adds or changes a PSBT records it: ``make peers``."""
    names = [psbts.name(made.payload()) for _, made in psbts.drafts()]
    assert names == list(RECORDED)
    assert len(names) > psbts.MADE_UP


def test_the_peer_takes_every_signature(found: list[tuple[str, Draft, Record]]) -> None:
    """Each input's signatures verify, low-S, over the hash that the peer computes."""
    for lock, made, record in found:
        count = len(made.inputs)
        assert record["valid"] == [True] * count
        assert record["signatures"] == [2 if lock == "P2WSH of 2 of 2" else 1] * count


def test_the_peer_reads_the_same(found: list[tuple[str, Draft, Record]]) -> None:
    """Source, payments and fee are the peer's addresses and amounts."""
    for _, made, record in found:
        facts = decode(TAG, made.payload()).facts
        *payments, fee = facts.transfers
        paid = [f"{moved.destination} {moved.amount}" for moved in payments]
        source = f"{facts.source} "
        assert str(fee.amount) == record["fee"]
        assert [item for item in record["outputs"] if not item.startswith(source)] == paid
        assert all(item.startswith(source) for item in record["inputs"])


def test_the_peer_extracts_the_same_transaction(found: list[tuple[str, Draft, Record]]) -> None:
    """What is ready to broadcast has the hashes, with and without witnesses, that it gives."""
    extracted = 0
    for lock, made, record in found:
        signed = sign(made.payload())
        if lock != "P2PKH":  # whose signatures are part of what is hashed
            assert _hash(made.transaction()) == record["txid"]
        if signed.transaction:
            extracted += 1
            assert signed.transaction_id == record["txid"]
            assert _hash(signed.transaction) == record["wtxid"]
    assert extracted > len(found) // 2
