"""Assets: how a policy names them, and what payloads call them (CAIP-2, CAIP-19).

An asset has one name. ``USD`` is known by its name only; ``USDC@eip155:1`` is
on a chain. On an Ethereum chain an asset with a contract is that ERC-20 token,
and an asset without one is the chain's own coin, which pays for gas.
"""

import re
from dataclasses import dataclass

from policy import fields

_SYMBOL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
_CHAIN = r"eip155:(?P<eip155>[1-9][0-9]{0,19})|(?!eip155:)[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}"
_NAME = re.compile(rf"{_SYMBOL}(@({_CHAIN}))?", re.ASCII)


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


def define(name: str, decimals: int, contract: str | None = None) -> Asset:
    """Return the asset that a checked name and contract stand for.

    Raises:
        ValueError: a contract on what is not an Ethereum chain.
    """
    match = _NAME.fullmatch(name)
    chain = match and match["eip155"]
    if chain is None:
        if contract is not None:
            raise ValueError("only an asset on an eip155 chain can have a contract")
        return Asset(name, decimals, ref=name)
    if contract is None:
        return Asset(name, decimals, native_ref(int(chain)), int(chain), is_native=True)
    fields.ethereum(contract)
    return Asset(name, decimals, f"eip155:{chain}/erc20:{contract}", int(chain))


def native_ref(chain_id: int) -> str:
    """Return the CAIP-19 identifier that decoders give an Ethereum chain's own coin."""
    return f"eip155:{chain_id}/slip44:60"


# The coins of well-known chains need no definition.
_COINS = {
    "ETH": (1, 10, 8453, 42161, 11155111),
    "POL": (137,),
    "BNB": (56,),
    "AVAX": (43114,),
}
WELL_KNOWN = tuple(
    define(f"{symbol}@eip155:{chain_id}", decimals=18)
    for symbol, chain_ids in _COINS.items()
    for chain_id in chain_ids
)
