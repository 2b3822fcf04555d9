"""Documents, assets, addresses and keys that are refused: where, and with what advice."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.problems import Problem

Tree = dict[str, Any]
Edit = Callable[[Tree, str, object], None]
Problems = Callable[[Tree], tuple[Problem, ...]]

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
GRANT = "keys.wd.grants.0"
REMOVED = None  # TOML has no null, so None can stand for a field that is taken out

CASES: dict[str, tuple[tuple[str, Any], str, str]] = {
    # The document.
    "no schema": (("schema", REMOVED), "schema", "is required"),
    "another schema": (("schema", 2), "schema", "schema 2 is not known here; write schema = 1"),
    "true is not 1": (("schema", True), "schema", "valid integer, not true"),
    "unknown section": (
        ("rules", {}),
        "rules",
        "unknown field; known here: schema, assets, addresses, contracts, markets, groups, keys",
    ),
    "no keys": (("keys", {}), "keys", "must not be empty"),
    "keys missing": (("keys", REMOVED), "keys", "is required"),
    "keys is a list": (("keys", []), "keys", "must be a table, not a list"),
    # Assets.
    "asset name with a space": (
        ("assets.US D", {"decimals": 2}),
        'assets."US D"',
        "is not an asset; write it like",
    ),
    "asset on chain 01": (
        ("assets.X@eip155:01", {"decimals": 2}),
        'assets."X@eip155:01"',
        "is not an asset",
    ),
    "asset with a Greek epsilon": (
        ("assets.\u0395UR", {"decimals": 2}),
        'assets."\\u0395UR"',
        "is not an asset",
    ),
    "no decimals": (("assets.GBP", {}), "assets.GBP.decimals", "is required"),
    "unknown asset field": (
        ("assets.GBP", {"decimals": 2, "limit": 1}),
        "assets.GBP.limit",
        "unknown field; known here: decimals, contract",
    ),
    "many decimals": (("assets.USD.decimals", 37), "assets.USD.decimals", "less than or equal"),
    "fractional decimals": (("assets.USD.decimals", 2.0), "assets.USD.decimals", "valid integer"),
    "wrong checksum": (
        ("assets.USDC@eip155:1.contract", USDC.lower()),
        'assets."USDC@eip155:1".contract',
        f"wrong checksum; after checking it, write {USDC}",
    ),
    "short contract": (
        ("assets.USDC@eip155:1.contract", USDC[:-1]),
        'assets."USDC@eip155:1".contract',
        "is not an Ethereum address",
    ),
    "contract without a chain": (
        ("assets.USD.contract", USDC),
        "assets.USD.contract",
        "only an asset on a chain of eip155, solana, tron",
    ),
    "contract on a chain without": (
        ("assets.X@cosmos:abc", {"decimals": 2, "contract": USDC}),
        'assets."X@cosmos:abc".contract',
        "only an asset on a chain of eip155, solana, tron",
    ),
    "contract of another chain": (
        ("assets.X@solana:abc", {"decimals": 2, "contract": USDC}),
        'assets."X@solana:abc".contract',
        "is not 32 bytes in base 58",
    ),
    "short mint": (
        ("assets.X@solana:abc", {"decimals": 2, "contract": "1111111111111111111111111111111"}),
        'assets."X@solana:abc".contract',
        "is not 32 bytes in base 58",
    ),
    "TRON contract with a typing error": (
        ("assets.X@tron:abc", {"decimals": 2, "contract": "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u"}),
        'assets."X@tron:abc".contract',
        "has a wrong checksum",
    ),
    "Bitcoin address as TRON contract": (
        ("assets.X@tron:abc", {"decimals": 2, "contract": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}),
        'assets."X@tron:abc".contract',
        "is not a TRON address: it begins with T",
    ),
    "long contract": (
        ("assets.X@tron:abc", {"decimals": 2, "contract": "T" * 65}),
        'assets."X@tron:abc".contract',
        "is not a word",
    ),
    "two names for one mint": (
        (
            "assets",
            {
                name: {"decimals": 6, "contract": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"}
                for name in ("A@solana:abc", "B@solana:abc")
            },
        ),
        'assets."B@solana:abc"',
        "is A@solana:abc by another name; an asset has one name",
    ),
    "one token, two names": (
        ("assets.DOLLAR@eip155:1", {"decimals": 6, "contract": USDC}),
        'assets."DOLLAR@eip155:1"',
        "is USDC@eip155:1 by another name",
    ),
    "token without its contract": (
        ("assets.DAI@eip155:1", {"decimals": 18}),
        'assets."DAI@eip155:1"',
        "is ETH@eip155:1 by another name; an asset has one name; a token needs its contract",
    ),
    "coin with other decimals": (
        ("assets.ETH@eip155:1", {"decimals": 9}),
        'assets."ETH@eip155:1"',
        "its chain's own coin, with 18 decimals and no contract",
    ),
    "token called like the coin": (
        ("assets.ETH@eip155:1", {"decimals": 18, "contract": "0x" + "1" * 40}),
        'assets."ETH@eip155:1"',
        "its chain's own coin",
    ),
    # Addresses.
    "empty set": (("addresses.none", {}), "addresses.none", "must not be empty"),
    "set name": (("addresses.The Set", {"a": "b"}), 'addresses."The Set"', "is not a name"),
    "address checksum": (
        ("addresses.treasury." + USDC.upper().replace("0X", "0x"), "x"),
        f"addresses.treasury.{USDC.upper().replace('0X', '0x')}",
        f"write {USDC}",
    ),
    "address with 0X": (
        ("addresses.treasury.0X" + "1" * 40, "x"),
        "addresses.treasury.0X" + "1" * 40,
        "is not an Ethereum address",
    ),
    "address with a space": (
        ("addresses.suppliers.ac me", "x"),
        'addresses.suppliers."ac me"',
        "is not an address",
    ),
    "label": (("addresses.suppliers.acme", ""), "addresses.suppliers.acme", "printable"),
    "label with a line end": (
        ("addresses.suppliers.acme", "a\nb"),
        "addresses.suppliers.acme",
        "printable",
    ),
    # Keys.
    "key name": (("keys.WD", {}), "keys.WD", "is not a name: 1 to 63 of a-z"),
    "unknown key field": (("keys.wd.grant", []), "keys.wd.grant", "known here: algorithm, payl"),
    "unknown algorithm": (("keys.wd.algorithm", "rsa"), "keys.wd.algorithm", "'ecdsa-secp256k1'"),
    "algorithm that the format has not": (
        ("keys.wd.algorithm", "ed25519"),
        "keys.wd.payloads[0]",
        "is not signed with ed25519 but with ecdsa-secp256k1",
    ),
    "unknown format": (
        ("keys.pay.payloads.1", "psbt"),
        "keys.pay.payloads[1]",
        "no payload format psbt; known: ethereum.transaction, intent",
    ),
    "format twice": (("keys.pay.payloads.1", "intent"), "keys.pay.payloads", "listed twice"),
    "no formats": (("keys.pay.payloads", []), "keys.pay.payloads", "must not be empty"),
    "version 0": (("keys.wd.version", 0), "keys.wd.version", "greater than or equal to 1"),
    "version true": (("keys.wd.version", True), "keys.wd.version", "valid integer, not true"),
    "durable as text": (("keys.wd.durable_intent", "yes"), "keys.wd.durable_intent", "boolean"),
    "no grants": (("keys.wd.grants", []), "keys.wd.grants", "must not be empty"),
    "no limits": (("keys.wd.limits", []), "keys.wd.limits", "must not be empty"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_document_names_the_place_and_the_remedy(
    case: str, tree: Tree, edit: Edit, problems: Problems
) -> None:
    """Each mistake is reported with its path and with what would be right."""
    (where, value), path, message = CASES[case]
    edit(tree, where, value)
    found = problems(tree)
    assert any(problem.path == path and message in problem.message for problem in found), found
