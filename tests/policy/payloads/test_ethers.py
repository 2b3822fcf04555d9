"""What ethers, a JavaScript library, makes of valid payloads (recorded by ``make peers``)."""

import json
from collections.abc import Iterator
from pathlib import Path

from policy.model import Facts, Role
from policy.payloads import decode, ethereum
from tests.peers import payloads

Record = dict[str, str]

RECORDED: dict[str, Record] = {
    record["name"]: record
    for record in json.loads(
        (Path(__file__).parents[2] / "peers/ethers.json").read_text(encoding="utf-8")
    )
}


def _found() -> Iterator[tuple[str, bytes, Record]]:
    """Return formats and payloads with what the peer made of them."""
    for tag, payload in payloads.payloads():
        yield tag, payload, RECORDED[payloads.name(payload)]


def test_every_payload_is_recorded() -> None:
    """Whoever adds or changes a payload records it: ``make peers``."""
    names = [payloads.name(payload) for _, payload in payloads.payloads()]
    assert names == list(RECORDED)
    assert len(names) > 3 * payloads.MADE_UP


def test_ethers_hashes_the_same_message() -> None:
    """The digest that would be signed is the one that ethers signs."""
    for tag, payload, record in _found():
        message = decode(tag, payload).message
        assert "0x" + ethereum.signing_hash(message).hex() == record["digest"]


def test_ethers_reads_the_same_transaction() -> None:
    """Chain, nonce, the most that gas may cost, and what moves where are what ethers reads."""
    for tag, payload, record in _found():
        if tag != "ethereum.transaction":
            continue
        facts = decode(tag, payload).facts
        fees = [moved.amount for moved in facts.transfers if moved.role is Role.FEE]
        assert (str(facts.chain_id), facts.nonce) == (record["chainId"], record["nonce"])
        assert str(sum(fees)) == record["fee"]
        _same_move(facts, record)


def _same_move(facts: Facts, record: Record) -> None:
    moved = facts.transfers[0]
    if record["data"] == "0x":
        assert (str(moved.amount), moved.destination) == (record["value"], record["to"])
        return
    words = bytes.fromhex(record["data"][10:])
    destination, amount = words[-52:-32], int.from_bytes(words[-32:])  # the last two arguments
    assert moved.asset == f"eip155:{facts.chain_id}/erc20:{record['to']}"
    assert (moved.amount, moved.destination) == (amount, ethereum.address.text(destination))
