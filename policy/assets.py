"""Assets: how a policy names them, and what payloads call them (CAIP-2, CAIP-19).

An asset has one name. ``USD`` is known by its name only; ``USDC@eip155:1`` is
on a chain. An asset with a contract is that token: of ERC-20 on an Ethereum
chain, of TRC-20 on TRON, a mint on Solana. On an Ethereum chain an asset without
one is the chain's own coin, which pays for gas.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policy import fields

_SYMBOL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
_CHAIN = r"eip155:(?P<eip155>[1-9][0-9]{0,19})|(?!eip155:)[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}"
_NAME = re.compile(rf"{_SYMBOL}(@(?P<chain>{_CHAIN}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset: ``ref`` is what decoders call it, ``chain_id`` its EIP-155 chain."""

    name: str
    decimals: int
    ref: str
    chain_id: int | None = None
    is_native: bool = False


def check_name(text: str) -> str:
    """Return ``text`` if it is an asset's name.

    Raises:
        ValueError: it is not ``SYMBOL`` or ``SYMBOL@chain``.
    """
    if not _NAME.fullmatch(text):
        raise ValueError(
            f'{text!a} is not an asset; write it like "USD" or "USDC@eip155:1" (a CAIP-2 chain)'
        )
    return text


# By CAIP-2 namespace: what CAIP-19 calls the tokens there, and how their contracts are written.
_TOKENS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "eip155": ("erc20", fields.ethereum),
    "solana": ("token", fields.solana),
    "tron": ("trc20", fields.tron),
}


def define(name: str, decimals: int, contract: str | None = None) -> Asset:
    """Return the asset that a checked name and contract stand for.

    Raises:
        ValueError: a contract on what is no chain with tokens, or in another spelling.
    """
    match = _NAME.fullmatch(name)
    chain = match["chain"] if match else None
    chain_id = int(match["eip155"]) if match and match["eip155"] else None
    if contract is not None:
        return Asset(name, decimals, token_ref(chain or "", contract), chain_id)
    if chain_id is not None:
        return Asset(name, decimals, native_ref(chain_id), chain_id, is_native=True)
    if chain == BITCOIN:
        return Asset(name, decimals, f"{chain}/slip44:0")
    return Asset(name, decimals, ref=name)


def token_ref(chain: str, contract: str) -> str:
    """Return the CAIP-19 identifier that decoders give a token.

    Raises:
        ValueError: there are no tokens on this chain, or the contract is none of it.
    """
    namespace = chain.partition(":")[0]
    if namespace not in _TOKENS:
        raise ValueError(f"only an asset on a chain of {', '.join(_TOKENS)} can have a contract")
    kind, check = _TOKENS[namespace]
    return f"{chain}/{kind}:{check(contract)}"


def native_ref(chain_id: int) -> str:
    """Return the CAIP-19 identifier that decoders give an Ethereum chain's own coin."""
    return f"eip155:{chain_id}/slip44:60"


def erc20_ref(chain_id: int, contract: str) -> str:
    """Return the CAIP-19 identifier of an ERC-20 token; the contract has its checksum."""
    return f"eip155:{chain_id}/erc20:{contract}"


BITCOIN = "bip122:000000000019d6689c085ae165831e93"  # the main network, by its first block
BTC = define(f"BTC@{BITCOIN}", decimals=8)


# The coins of well-known chains need no definition.
_COINS = {
    "ETH": (1, 10, 8453, 42161, 11155111),
    "POL": (137,),
    "BNB": (56,),
    "AVAX": (43114,),
}
WELL_KNOWN = (
    BTC,
    *(
        define(f"{symbol}@eip155:{chain_id}", decimals=18)
        for symbol, chain_ids in _COINS.items()
        for chain_id in chain_ids
    ),
)
