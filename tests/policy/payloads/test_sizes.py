"""How long a payload may be: each format has a limit, and says it."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from policy.payloads import FORMATS, MAX_BYTES
from policy.reasons import Code
from tests.policy.payloads.examples import refusal


class Limit(NamedTuple):
    """The most bytes, where a refusal of more points, and what it says of the limit."""

    most: int
    where: str
    said: str = "at most {} are taken"


REQUEST = Limit(4096, "request")
ANY = Limit(MAX_BYTES, "payload")
LIMITS: Mapping[str, Limit] = {
    "binance.request": REQUEST,
    "bitcoin.psbt": ANY,
    "bitmex.request": REQUEST,
    "bybit.request": REQUEST,
    "coinbase.jwt": REQUEST,
    "cosmos.signdoc": Limit(2048, "signdoc"),
    "deribit.request": REQUEST,
    "ethereum.message": Limit(2048, "message"),
    "ethereum.transaction": Limit(16_384, "transaction"),
    "ethereum.typed-data": Limit(16_384, "$"),
    "hyperliquid.action": ANY,
    "hyperliquid.transfer": ANY,
    "intent": ANY,
    "intent.cose": Limit(4096, "cose"),
    "intent.jws": Limit(4096, "jws"),
    "kraken.request": REQUEST,
    "okx.request": REQUEST,
    "solana.message": Limit(1167, "message", "a packet has room for {}"),
    "tron.transaction": Limit(1024, "transaction"),
    "venue.logon": REQUEST,
}


@pytest.mark.parametrize("tag", FORMATS)
def test_a_payload_may_be_as_long_as_its_format_says(tag: str) -> None:
    """At the limit a payload is read, whatever it says; a byte more is refused for that."""
    most, where, said = LIMITS[tag]
    assert refusal(tag, b" " * most).code is not Code.PAYLOAD_TOO_LARGE
    reason = refusal(tag, b" " * (most + 1))
    assert (reason.code, reason.rule) == (Code.PAYLOAD_TOO_LARGE, where)
    assert reason.detail == f"{most + 1} bytes; {said.format(most)}"
