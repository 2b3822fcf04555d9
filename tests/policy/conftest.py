"""Documents to edit, and the way from them to a policy."""

import copy
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from policy.algorithms import Algorithm
from policy.document import load
from policy.model import Format
from policy.problems import PolicyError, Problem
from policy.reasons import Code, PayloadError
from policy.rules import Policy
from tests.policy.writing import toml

Tree = dict[str, Any]

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
OMNIBUS = "0x1111111111111111111111111111111111111111"
_ETHEREUM = {"native.transfer", "erc20.transfer", "erc20.transferFrom", "erc20.approve"}

_DOCUMENT: Tree = {
    "schema": 1,
    "assets": {
        "USDC@eip155:1": {"contract": USDC, "decimals": 6},
        "USD": {"decimals": 2},
        "EUR": {"decimals": 2},
    },
    "addresses": {"treasury": {OMNIBUS: "omnibus"}, "suppliers": {"acme": "Acme Ltd"}},
    "keys": {
        "wd": {
            "algorithm": "ecdsa-secp256k1",
            "payloads": ["ethereum.transaction"],
            "grants": [
                {
                    "id": "payouts",
                    "callers": ["spiffe://firm.example/wallet"],
                    "action": "erc20.transfer",
                    "chain_ids": [1],
                    "assets": ["USDC@eip155:1"],
                    "destinations": ["@treasury"],
                }
            ],
            "limits": [
                {
                    "asset": "USDC@eip155:1",
                    "per_request": "50000",
                    "windows": [{"span": "24h", "total": "250000", "count": 200}],
                },
                {
                    "asset": "ETH@eip155:1",
                    "per_request": "0.02",
                    "windows": [{"span": "24h", "total": "0.5"}],
                },
            ],
        },
        "pay": {
            "algorithm": "ed25519",
            "payloads": ["intent"],
            "grants": [
                {
                    "id": "suppliers",
                    "callers": ["spiffe://firm.example/bot"],
                    "action": "intent.transfer",
                    "assets": ["USD"],
                    "destinations": ["@suppliers"],
                }
            ],
            "limits": [
                {
                    "asset": "USD",
                    "per_request": "10.00",
                    "windows": [{"span": "1h", "total": "25", "count": 3}],
                }
            ],
        },
    },
}


def _decode(payload: bytes) -> NoReturn:
    raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "payload", "policies never decode")


@pytest.fixture(scope="session")
def formats() -> dict[str, Format]:
    """The two payload formats, as far as a policy looks at them."""
    intent = Format("intent", _decode, frozenset({"intent.transfer"}), frozenset(Algorithm))
    ethereum = Format(
        "ethereum.transaction",
        _decode,
        frozenset(_ETHEREUM),
        frozenset({Algorithm.ECDSA_SECP256K1}),
        on_chain=True,
        pays_gas=True,
        calls=True,
    )
    return {form.tag: form for form in (intent, ethereum)}


@pytest.fixture(scope="session")
def write() -> Callable[[Tree], str]:
    """Write a tree as a TOML document."""
    return toml


@pytest.fixture(scope="session")
def compiled(formats: dict[str, Format], write: Callable[[Tree], str]) -> Callable[[Tree], Policy]:
    """Compile a tree."""
    return lambda tree: load(write(tree), formats)


@pytest.fixture(scope="session")
def problems(compiled: Callable[[Tree], Policy]) -> Callable[[Tree], tuple[Problem, ...]]:
    """Compile a tree that is no policy, and return why."""

    def refused(tree: Tree) -> tuple[Problem, ...]:
        with pytest.raises(PolicyError) as caught:
            compiled(tree)
        return caught.value.problems

    return refused


@pytest.fixture(scope="session")
def edit() -> Callable[[Tree, str, object], None]:
    """Set what is at a place like ``keys.wd.grants.0.id``; None takes it out."""

    def change(tree: Tree, where: str, value: object) -> None:
        *parents, last = (int(part) if part.isdecimal() else part for part in where.split("."))
        table: Any = tree
        for part in parents:
            table = table[part]
        if value is None:
            del table[last]
        elif isinstance(table, list) and last == len(table):
            table.append(value)
        else:
            table[last] = value

    return change


@pytest.fixture
def tree() -> Tree:
    """A valid document with a withdrawal key ``wd`` and a payment key ``pay``."""
    return copy.deepcopy(_DOCUMENT)
