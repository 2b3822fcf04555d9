"""Assets of every chain: what a policy names is what its payload format's decoder names."""

from collections.abc import Callable
from typing import Any

import pytest

from policy import base58
from policy.assets import BITCOIN, Asset, define
from policy.rules import Policy
from tests.policy.payloads.examples import USDC_TEXT
from tests.policy.writing import exactly

Tree = dict[str, Any]
TRON, SOLANA = "tron:0x2b6653dc", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
USDT_TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
USDC_SOLANA = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
TOKENS = {
    "USDC@eip155:1": (USDC_TEXT, f"eip155:1/erc20:{USDC_TEXT}"),
    f"USDT@{TRON}": (USDT_TRON, f"{TRON}/trc20:{USDT_TRON}"),
    f"USDC@{SOLANA}": (USDC_SOLANA, f"{SOLANA}/token:{USDC_SOLANA}"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_has_the_identifier_that_decoders_give_it(
    name: str, tree: Tree, compiled: Callable[[Tree], Policy]
) -> None:
    """A document's token is found by its CAIP-19 identifier and by its name."""
    contract, ref = TOKENS[name]
    tree["assets"][name] = {"contract": contract, "decimals": 6}
    assets = compiled(tree).assets
    assert assets[ref] is assets[name]
    assert (assets[ref].name, assets[ref].decimals) == (name, 6)


@pytest.mark.parametrize("name", [f"TRX@{TRON}", f"SOL@{SOLANA}", "USD"])
def test_what_has_no_contract_is_known_by_its_name(name: str) -> None:
    """The coins of other chains are what their decoders call them: their names."""
    assert define(name, 6) == Asset(name, 6, ref=name)


def test_bitcoin_is_known_by_its_identifier() -> None:
    """A PSBT's decoder names the coin of the main network by CAIP-19."""
    name = f"BTC@{BITCOIN}"
    assert define(name, 8) == Asset(name, 8, f"{BITCOIN}/slip44:0")


@pytest.mark.parametrize("name", ["USD", f"BTC@{BITCOIN}", "BTC@cosmos:hub"])
def test_a_contract_is_on_a_chain_that_has_tokens(name: str) -> None:
    """Anywhere else it would be a name that no decoder gives."""
    words = "only an asset on a chain of eip155, solana, tron can have a contract"
    with pytest.raises(ValueError, match=exactly(words)):
        define(name, 8, USDC_TEXT)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\1", b"\xff" * 32, bytes(range(40))])
def test_base_58_has_one_text_for_each_bytes(data: bytes) -> None:
    """Writing and reading are inverse, and another length or checksum is refused."""
    text = base58.encode_check(data)
    assert base58.decode_check(text, len(data)) == data
    assert base58.decode(base58.encode(data), len(data)) == data
    for size in (len(data) - 1, len(data) + 1):
        with pytest.raises(ValueError, match="bytes in base 58"):
            base58.decode_check(text, max(0, size) if data else 1)


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " 1", "1 ", "1\n", "é", "2" * 10_000])
def test_what_is_not_base_58_is_refused(text: str) -> None:
    """Other digits, spaces and endless text are no bytes of the wanted length."""
    with pytest.raises(ValueError, match="is not 1 bytes in base 58"):
        base58.decode(text, 1)


@pytest.mark.parametrize(
    ("text", "size", "words"),
    [
        ("l" * 90, 3, f"'{'l' * 40}' is not 7 bytes in base 58"),
        (base58.encode(bytes(48)), 44, f"'{'1' * 40}' has a wrong checksum"),
    ],
)
def test_base_58_is_refused_in_short(text: str, size: int, words: str) -> None:
    """However long the text, forty characters of it are shown."""
    with pytest.raises(ValueError, match=exactly(words)):
        base58.decode_check(text, size)
