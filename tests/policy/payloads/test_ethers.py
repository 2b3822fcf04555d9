"""What ethers, a JavaScript library, makes of the valid payloads (recorded by ``make peers``)."""

import json
from pathlib import Path

import pytest

from policy.payloads import decode, ethereum
from tests.policy.payloads.examples import VALID

RECORDED = json.loads((Path(__file__).parents[2] / "peers/ethers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: str(record["format"]))
def test_ethers_hashes_the_same_message(record: dict[str, str]) -> None:
    """The digest that would be signed is the one that ethers signs."""
    payload = bytes.fromhex(record["payload"][2:])
    message = decode(record["format"], payload).message
    assert "0x" + ethereum.signing_hash(message).hex() == record["digest"]


def test_every_valid_payload_is_recorded() -> None:
    """Whoever adds a payload records it: ``make peers``."""
    known = {(record["format"], record["payload"]) for record in RECORDED}
    valid = {(tag, "0x" + item.hex()) for tag in VALID for item in VALID[tag]}
    assert known == {pair for pair in valid if pair[0].startswith("ethereum.")}
