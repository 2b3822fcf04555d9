"""Policy documents: what is refused, where, and with what advice."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy.document import load
from policy.model import Counter, Format
from policy.problems import PolicyError, Problem
from policy.rules import Policy

Tree = dict[str, Any]
Edit = tuple[str, Any]

ROOT = Path(__file__).parents[2]
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
GRANT = "keys.wd.grants.0"
LIMIT = "keys.wd.limits.0"
PAY = "keys.pay.grants.0"
REMOVED = object()


def _edit(tree: Tree, where: str, value: object) -> None:
    """Set, or remove, what is at a place like ``keys.wd.grants.0.id`` (``|`` for a dot)."""
    *parents, last = (
        int(part) if part.isdecimal() else part.replace("|", ".") for part in where.split(".")
    )
    table: Any = tree
    for part in parents:
        table = table[part]
    if value is REMOVED:
        del table[last]
    elif isinstance(table, list) and last == len(table):
        table.append(value)
    else:
        table[last] = value


def _problems(compiled: Callable[[Tree], Policy], tree: Tree) -> tuple[Problem, ...]:
    with pytest.raises(PolicyError) as caught:
        compiled(tree)
    return caught.value.problems


FIRST_DOCUMENT = """\
schema = 1

[assets."USDC@eip155:1"]
contract = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6

[addresses.treasury]                       # a named, reviewed set
"0x1111111111111111111111111111111111111111" = "omnibus"

[keys.wd-usdc]
algorithm = "ecdsa-secp256k1"
payloads = ["ethereum.transaction"]

[[keys.wd-usdc.grants]]
id = "payouts"
callers = ["spiffe://firm.example/wallet-usdc"]
action = "erc20.transfer"                  # named by the decoder, never by the caller
chain_ids = [1]
assets = ["USDC@eip155:1"]
destinations = ["@treasury"]
hours = { tz = "Europe/London", days = "mon-fri", from = "08:00", to = "18:00" }
approval = { above = "10000", quorum = 2, approvers = ["spiffe://firm.example/officer/a", "spiffe://firm.example/officer/b"] }

[[keys.wd-usdc.limits]]
asset = "USDC@eip155:1"
per_request = "50000"
windows = [{ span = "24h", total = "250000", count = 200 }]

[[keys.wd-usdc.limits]]                    # gas is spending too
asset = "ETH@eip155:1"
per_request = "0.02"
windows = [{ span = "24h", total = "0.5" }]
"""  # noqa: E501 - as it was written

HOURS = {"tz": "Europe/London", "days": "mon-fri", "from": "08:00", "to": "18:00"}
OFFICERS = ["spiffe://firm.example/officer/a", "spiffe://firm.example/officer/b"]
APPROVAL = {"above": "10000", "quorum": 2, "approvers": OFFICERS}

CASES: dict[str, tuple[Edit, str, str]] = {
    # The document.
    "no schema": (("schema", REMOVED), "schema", "is required"),
    "another schema": (("schema", 2), "schema", "schema 2 is not known here; write schema = 1"),
    "true is not 1": (("schema", True), "schema", "valid integer, not true"),
    "unknown section": (
        ("rules", {}),
        "rules",
        "unknown field; known here: schema, assets, addresses, keys",
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
        "only an asset on an eip155 chain",
    ),
    "contract on another chain": (
        ("assets.X@solana:abc", {"decimals": 2, "contract": USDC}),
        'assets."X@solana:abc".contract',
        "only an asset on an eip155 chain",
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
    # Grants.
    "unknown grant field": (
        (f"{GRANT}.destination", "@treasury"),
        "keys.wd.grants[0].destination",
        "unknown field; known here: id, callers",
    ),
    "grant id": ((f"{GRANT}.id", "Pay Outs"), "keys.wd.grants[0].id", "is not a name"),
    "no callers": ((f"{GRANT}.callers", []), "keys.wd.grants[0].callers", "must not be empty"),
    "caller twice": (
        (f"{GRANT}.callers.1", "spiffe://firm.example/wallet"),
        "keys.wd.grants[0].callers",
        "spiffe://firm.example/wallet is listed twice",
    ),
    "wildcard caller": (
        (f"{GRANT}.callers.0", "spiffe://firm.example/*"),
        "keys.wd.grants[0].callers[0]",
        "has a wildcard; name each caller in full",
    ),
    "caller with a Cyrillic a": (
        (f"{GRANT}.callers.0", "spiffe://firm.example/w\u0430llet"),
        "keys.wd.grants[0].callers[0]",
        "has the character U+0430",
    ),
    "zero-width caller": (
        (f"{GRANT}.callers.0", "spiffe://firm.example/wallet\u200b"),
        "keys.wd.grants[0].callers[0]",
        "has the character U+200B",
    ),
    "caller with a space": (
        (f"{GRANT}.callers.0", "spiffe://firm.example/wallet "),
        "keys.wd.grants[0].callers[0]",
        "without spaces",
    ),
    "caller by common name": (
        (f"{GRANT}.callers.0", "wallet"),
        "keys.wd.grants[0].callers[0]",
        "URI or DNS name in full",
    ),
    "caller with a port": (
        (f"{GRANT}.callers.0", "wallet.firm.example:443"),
        "keys.wd.grants[0].callers[0]",
        "is not a caller",
    ),
    "caller in capitals": (
        (f"{GRANT}.callers.0", "Wallet.firm.example"),
        "keys.wd.grants[0].callers[0]",
        "in lower case",
    ),
    "unknown action": (
        (f"{GRANT}.action", "erc20.burn"),
        "keys.wd.grants[0].action",
        "no action erc20.burn; the key's payloads have erc20.approve, erc20.transfer",
    ),
    "action of another format": (
        (f"{GRANT}.action", "intent.transfer"),
        "keys.wd.grants[0].action",
        "is an action of intent, which is not in the key's payloads",
    ),
    "no chain": (
        (f"{GRANT}.chain_ids", REMOVED),
        "keys.wd.grants[0].chain_ids",
        "is required for an action on Ethereum chains",
    ),
    "chain zero": ((f"{GRANT}.chain_ids.0", 0), "keys.wd.grants[0].chain_ids[0]", "greater"),
    "chain for an intent": (
        (f"{PAY}.chain_ids", [1]),
        "keys.pay.grants[0].chain_ids",
        "is on no Ethereum chain; leave it out",
    ),
    "chain without a coin": (
        (f"{GRANT}.chain_ids.1", 5000),
        "keys.wd.grants[0].chain_ids[1]",
        "nothing pays for gas on chain 5000; define it",
    ),
    "gas without a limit": (
        ("keys.wd.limits.1", REMOVED),
        "keys.wd.grants[0].chain_ids[0]",
        "ETH@eip155:1 pays for gas and has no limit on this key; add [[keys.wd.limits]] with",
    ),
    "asset without a limit": (
        (f"{LIMIT}.asset", "USD"),
        "keys.wd.grants[0].assets[0]",
        'USDC@eip155:1 has no limit on this key; add [[keys.wd.limits]] with asset = "USDC@',
    ),
    "asset on another chain": (
        (f"{GRANT}.assets.1", "USD"),
        "keys.wd.grants[0].assets[1]",
        "USD is on no chain of chain_ids",
    ),
    "unknown asset": (
        (f"{GRANT}.assets.1", "DAI@eip155:1"),
        "keys.wd.grants[0].assets[1]",
        'DAI@eip155:1 is not defined; add [assets."DAI@eip155:1"]',
    ),
    "no assets": ((f"{GRANT}.assets", []), "keys.wd.grants[0].assets", "must not be empty"),
    "no destinations": (
        (f"{GRANT}.destinations", []),
        "keys.wd.grants[0].destinations",
        "must not be empty",
    ),
    "unknown set": (
        (f"{GRANT}.destinations.1", "@tresury"),
        "keys.wd.grants[0].destinations[1]",
        "@tresury is not defined; add [addresses.tresury]",
    ),
    "set name in a grant": (
        (f"{GRANT}.destinations.1", "@"),
        "keys.wd.grants[0].destinations[1]",
        "is not a name",
    ),
    "literal checksum": (
        (f"{GRANT}.destinations.1", USDC.lower()),
        "keys.wd.grants[0].destinations[1]",
        f"write {USDC}",
    ),
    "no sources": ((f"{GRANT}.sources", []), "keys.wd.grants[0].sources", "must not be empty"),
    "unknown source set": (
        (f"{GRANT}.sources", ["@nobody"]),
        "keys.wd.grants[0].sources[0]",
        "is not defined",
    ),
    # Hours.
    "zone": (
        (f"{GRANT}.hours", HOURS | {"tz": "London"}),
        "keys.wd.grants[0].hours.tz",
        'is not an IANA time zone; write it like "Europe/London"',
    ),
    "days": (
        (f"{GRANT}.hours", HOURS | {"days": "Mon"}),
        "keys.wd.grants[0].hours.days",
        "is not a day",
    ),
    "from": (
        (f"{GRANT}.hours", HOURS | {"from": "24:00"}),
        "keys.wd.grants[0].hours.from",
        "is not a time of the day",
    ),
    "to": (
        (f"{GRANT}.hours", HOURS | {"to": "24:01"}),
        "keys.wd.grants[0].hours.to",
        "is not a time of the day",
    ),
    "past midnight": (
        (f"{GRANT}.hours", HOURS | {"to": "08:00"}),
        "keys.wd.grants[0].hours",
        "from 08:00 is not before to 08:00; past midnight, write two grants",
    ),
    "unknown hours field": (
        (f"{GRANT}.hours", HOURS | {"until": "1"}),
        "keys.wd.grants[0].hours.until",
        "unknown field; known here: tz, days, from, to",
    ),
    # Approvals.
    "quorum of nobody": (
        (f"{GRANT}.approval", APPROVAL | {"quorum": 0}),
        "keys.wd.grants[0].approval.quorum",
        "greater than or equal to 1",
    ),
    "quorum of too many": (
        (f"{GRANT}.approval", APPROVAL | {"quorum": 3}),
        "keys.wd.grants[0].approval.quorum",
        "needs 3 approvers other than the caller; there are 2",
    ),
    "caller among the approvers": (
        (
            f"{GRANT}.approval",
            APPROVAL | {"approvers": [OFFICERS[0], "spiffe://firm.example/wallet"]},
        ),
        "keys.wd.grants[0].approval.quorum",
        "needs 2 approvers other than the caller; there are 1",
    ),
    "approver twice": (
        (f"{GRANT}.approval", APPROVAL | {"approvers": OFFICERS[:1] * 2}),
        "keys.wd.grants[0].approval.approvers",
        "is listed twice",
    ),
    "approval decimals": (
        (f"{GRANT}.approval", APPROVAL | {"above": "0.0000001"}),
        "keys.wd.grants[0].approval.above",
        "0.0000001 has 7 decimals; the asset has 6",
    ),
    # Limits.
    "amount as a number": (
        (f"{LIMIT}.per_request", 50000),
        "keys.wd.limits[0].per_request",
        'a number where a string belongs; write "50000" in quotes',
    ),
    "amount as a float": (
        (f"{LIMIT}.per_request", 0.5),
        "keys.wd.limits[0].per_request",
        'write "0.5" in quotes',
    ),
    "amount as a bool": (
        (f"{LIMIT}.per_request", True),
        "keys.wd.limits[0].per_request",
        "valid string, not true",
    ),
    "amount with a separator": (
        (f"{LIMIT}.per_request", "50_000"),
        "keys.wd.limits[0].per_request",
        "is not an amount",
    ),
    "amount decimals": (
        (f"{LIMIT}.per_request", "1.0000001"),
        "keys.wd.limits[0].per_request",
        "has 7 decimals; the asset has 6",
    ),
    "no per_request": (
        (f"{LIMIT}.per_request", REMOVED),
        "keys.wd.limits[0].per_request",
        "is required",
    ),
    "limit on an unknown asset": (
        ("keys.wd.limits.2", {"asset": "X", "per_request": "1", "windows": [{"span": "1h"}]}),
        "keys.wd.limits[2].windows[0]",
        "bounds nothing; give it a total, a count or both",
    ),
    "limit on an undefined asset": (
        (
            "keys.wd.limits.2",
            {"asset": "X", "per_request": "1", "windows": [{"span": "1h", "count": 1}]},
        ),
        "keys.wd.limits[2].asset",
        "X is not defined",
    ),
    "no windows": ((f"{LIMIT}.windows", []), "keys.wd.limits[0].windows", "must not be empty"),
    "window total decimals": (
        (f"{LIMIT}.windows.0.total", "0.0000001"),
        "keys.wd.limits[0].windows[0].total",
        "has 7 decimals",
    ),
    "window count zero": (
        (f"{LIMIT}.windows.0.count", 0),
        "keys.wd.limits[0].windows[0].count",
        "greater than or equal to 1",
    ),
    "unknown window field": (
        (f"{LIMIT}.windows.0.max", "1"),
        "keys.wd.limits[0].windows[0].max",
        "unknown field; known here: span, total, count",
    ),
    "span": ((f"{LIMIT}.windows.0.span", "1w"), "keys.wd.limits[0].windows[0].span", "not a span"),
    "span zero": (
        (f"{LIMIT}.windows.0.span", "0s"),
        "keys.wd.limits[0].windows[0].span",
        "not a span",
    ),
    "long span": (
        (f"{LIMIT}.windows.0.span", "367d"),
        "keys.wd.limits[0].windows[0].span",
        "367d is longer than 366d",
    ),
    "window twice": (
        (f"{LIMIT}.windows.1", {"span": "1d", "total": "1"}),
        "keys.wd.limits[0].windows[1].span",
        "USDC@eip155:1 has a window of 1d already",
    ),
    "window twice in two limits": (
        (
            "keys.wd.limits.2",
            {
                "asset": "USDC@eip155:1",
                "per_request": "1",
                "windows": [{"span": "1440m", "count": 1}],
            },
        ),
        "keys.wd.limits[2].windows[0].span",
        "has a window of 1440m already",
    ),
    "limit as text": (
        ("keys.wd.limits.0", "x" * 99),
        "keys.wd.limits[0]",
        f'must be a table, not "{"x" * 59}…',
    ),
    "table as an action": ((f"{GRANT}.action", {}), "keys.wd.grants[0].action", "not a table"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_document_names_the_place_and_the_remedy(
    case: str, tree: Tree, compiled: Callable[[Tree], Policy]
) -> None:
    """Each mistake is reported with its path and with what would be right."""
    (where, value), path, message = CASES[case]
    _edit(tree, where, value)
    found = _problems(compiled, tree)
    assert any(problem.path == path and message in problem.message for problem in found), found


def test_a_grant_id_is_unique_on_its_key(tree: Tree, compiled: Callable[[Tree], Policy]) -> None:
    """Two grants of one name would look the same in the audit log."""
    tree["keys"]["wd"]["grants"] *= 2
    assert _problems(compiled, tree) == (
        Problem("keys.wd.grants[1].id", "payouts is taken on this key"),
    )


def test_all_problems_come_at_once(tree: Tree, compiled: Callable[[Tree], Policy]) -> None:
    """Wrong shapes and contradictions in different tables are in one report."""
    _edit(tree, "keys.wd.limits.0.per_request", 1)
    _edit(tree, "keys.wd.limits.1.windows.0.total", "1.2345678901234567890")
    _edit(tree, "keys.wd.grants.0.destinations.0", "@nobody")
    _edit(tree, "keys.wd.grants.1", {"id": "payouts"})
    _edit(tree, "assets.EUR.decimals", "2")
    _edit(tree, "keys.pay.grants.0.destinations.0", "@nobody")
    _edit(tree, "keys.pay.limits.0.windows.0.total", "1.234")
    assert [problem.path for problem in _problems(compiled, tree)] == [
        "assets.EUR.decimals",
        *(f"keys.wd.grants[1].{field}" for field in ("callers", "action", "assets")),
        "keys.wd.grants[1].destinations",
        "keys.wd.limits[0].per_request",
        "keys.wd.grants[0].destinations[0]",
        "keys.wd.limits[1].windows[0].total",
        "keys.pay.grants[0].destinations[0]",
        "keys.pay.limits[0].windows[0].total",
    ]


def test_what_a_broken_table_defines_is_not_reported_twice(
    tree: Tree, compiled: Callable[[Tree], Policy]
) -> None:
    """An asset or a set with a mistake of its own is still known by name."""
    _edit(tree, "assets.USD.decimals", "2")
    _edit(tree, "addresses.suppliers.acme", "")
    assert [problem.path for problem in _problems(compiled, tree)] == [
        "assets.USD.decimals",
        "addresses.suppliers.acme",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = ", r"is not TOML: Invalid value \(at line 1, column 10\)|at end of document"),
        ("schema = 1\nschema = 1\n", r"is not TOML: .*line 2"),
        ("\ufeffschema = 1", "is not TOML"),
        ("schema = 1 # \ud800", "is not TOML"),
        ("schema = " + "1" * 5000, "is not TOML"),
        ("a = " + "[" * 10_000, "is nested too deeply"),
    ],
)
def test_what_is_not_toml_is_one_problem(
    text: str, message: str, formats: dict[str, Format]
) -> None:
    """A syntax error has no path; it says the line and the column."""
    with pytest.raises(PolicyError, match=message) as caught:
        load(text, formats)
    assert [problem.path for problem in caught.value.problems] == [""]


def test_deep_tables_are_refused_like_others(formats: dict[str, Format]) -> None:
    """Dotted keys nest without end; they are a problem at their first name."""
    deep = "a." * 5000
    text = f"schema.{deep}a = 1\n{deep}b = 1\nkeys.k.{deep}b = 1\nassets.USD.{deep}b = 1"
    with pytest.raises(PolicyError) as caught:
        load(text, formats)
    paths = {problem.path for problem in caught.value.problems}
    assert {"schema", "a", "keys.k.a", "assets.USD.a"} <= paths


def test_the_first_document_ever_written_still_loads(formats: dict[str, Format]) -> None:
    """A schema 1 document stays valid and keeps its meaning."""
    policy = load(FIRST_DOCUMENT, formats)
    (grant,) = policy.keys["wd-usdc"].grants
    assert policy.sha256 == "2d5608f938fc7fb4bf734bf61a433bc17984c78119849d10846c1873408ce199"
    assert grant.hours is not None
    assert grant.hours.days == {0, 1, 2, 3, 4}
    assert grant.approval is not None
    assert grant.approval.above == {"USDC@eip155:1": 10_000_000_000}
    assert policy.keys["wd-usdc"].limits["ETH@eip155:1"].per_request == 2 * 10**16


def test_the_commented_example_loads(formats: dict[str, Format]) -> None:
    """It shows both payload formats, and its hash is that of the file's bytes."""
    file = ROOT / "deploy/examples/policy.toml"
    policy = load(file.read_bytes().decode(), formats)
    assert policy.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert frozenset(formats) == frozenset().union(*(key.formats for key in policy.keys.values()))


def test_a_comment_changes_the_content_hash(
    tree: Tree, write: Callable[[Tree], str], formats: dict[str, Format]
) -> None:
    """The hash is over the exact bytes that were reviewed."""
    text = write(tree)
    assert load(text, formats).sha256 != load(text + "\n# reviewed", formats).sha256


def test_everything_is_resolved_once(tree: Tree, compiled: Callable[[Tree], Policy]) -> None:
    """Sets become addresses, amounts base units, callers a table of their grants."""
    _edit(tree, f"{GRANT}.approval", APPROVAL)
    _edit(tree, f"{GRANT}.hours", HOURS)
    _edit(tree, f"{GRANT}.sources", ["@suppliers", USDC])
    key = compiled(tree).keys["wd"]
    (grant,) = key.callers["spiffe://firm.example/wallet"]
    assert grant.destinations == {"0x" + "1" * 40}
    assert grant.sources == {"acme", USDC}
    assert grant.chain_ids == {1}
    assert grant.approval is not None
    assert grant.approval.above == {"USDC@eip155:1": 10_000_000_000}
    limit = key.limits["USDC@eip155:1"]
    assert limit.per_request == 50_000_000_000
    assert limit.windows[0].counter == Counter("wd", "USDC@eip155:1", 86_400_000)
    assert (limit.windows[0].max_total, limit.windows[0].max_requests) == (250_000_000_000, 200)


@pytest.mark.parametrize("place", [0, 1])
def test_two_limits_on_one_asset_both_hold(
    place: int, tree: Tree, compiled: Callable[[Tree], Policy]
) -> None:
    """The smaller amount for a request, and the windows of both, shortest first."""
    second = {"asset": "USD", "per_request": "3", "windows": [{"span": "5m", "count": 1}]}
    tree["keys"]["pay"]["limits"].insert(place, second)
    limit = compiled(tree).keys["pay"].limits["USD"]
    assert limit.per_request == 300
    assert [window.counter.span_ms for window in limit.windows] == [300_000, 3_600_000]


def test_an_asset_is_known_by_name_and_by_identifier(
    tree: Tree, compiled: Callable[[Tree], Policy]
) -> None:
    """Decoders say CAIP-19, intents say the name; both mean the same asset."""
    _edit(tree, "assets.MNT@eip155:5000", {"decimals": 18})
    _edit(tree, "assets.ETH@eip155:1", {"decimals": 18})
    _edit(tree, "assets.SOL@solana:abc", {"decimals": 9})
    assets = compiled(tree).assets
    assert assets[f"eip155:1/erc20:{USDC}"] is assets["USDC@eip155:1"]
    assert assets["eip155:5000/slip44:60"] is assets["MNT@eip155:5000"]
    assert assets["eip155:137/slip44:60"].name == "POL@eip155:137"
    assert assets["SOL@solana:abc"].chain_id is None


def test_a_problem_of_the_whole_document_has_no_path() -> None:
    """Such a problem is its message alone."""
    assert str(Problem("", "is not TOML")) == "is not TOML"
    assert re.fullmatch(r"a\.b: wrong", str(Problem("a.b", "wrong")))
