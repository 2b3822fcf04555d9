"""Grants that are refused: where, and with what advice."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.problems import Problem

Tree = dict[str, Any]
Edit = Callable[[Tree, str, object], None]
Problems = Callable[[Tree], tuple[Problem, ...]]

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
GRANT = "keys.wd.grants.0"
LIMIT = "keys.wd.limits.0"
PAY = "keys.pay.grants.0"
REMOVED = None  # TOML has no null, so None can stand for a field that is taken out

HOURS = {"tz": "Europe/London", "days": "mon-fri", "from": "08:00", "to": "18:00"}
OFFICERS = ["spiffe://firm.example/officer/a", "spiffe://firm.example/officer/b"]
APPROVAL = {"above": "10000", "quorum": 2, "approvers": OFFICERS}

CASES: dict[str, tuple[tuple[str, Any], str, str]] = {
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
    # What moves nothing.
    "assets without destinations": (
        (f"{GRANT}.destinations", REMOVED),
        "keys.wd.grants[0]",
        "assets and destinations belong together",
    ),
    "approval without assets": (
        (GRANT, {"id": "a", "callers": ["a.b"], "action": "x", "approval": APPROVAL}),
        "keys.wd.grants[0]",
        "approval needs assets",
    ),
    # Orders.
    "symbol with a space": (
        (f"{GRANT}.symbols", ["BTC USDT"]),
        "keys.wd.grants[0].symbols[0]",
        "is not a word: 1 to 64 ASCII characters, no spaces",
    ),
    "side": ((f"{GRANT}.sides", ["BUY"]), "keys.wd.grants[0].sides[0]", "'buy' or 'sell'"),
    "worst price of any symbol": (
        (f"{GRANT}.worst_price", {"buy": "1"}),
        "keys.wd.grants[0]",
        "worst_price needs exactly one symbol in symbols",
    ),
    "worst price of nothing": (
        (f"{GRANT}.worst_price", {}),
        "keys.wd.grants[0].worst_price",
        "bounds nothing; give it buy, sell or both",
    ),
    "worst price field": (
        (f"{GRANT}.worst_price", {"buy": "1", "max": "1"}),
        "keys.wd.grants[0].worst_price.max",
        "unknown field; known here: buy, sell",
    ),
    # Networks.
    "network": (
        (f"{GRANT}.networks", ["10.0.0.0/33"]),
        "keys.wd.grants[0].networks[0]",
        'is not a network; write it like "10.1.0.0/16"',
    ),
    "network of a host": (
        (f"{GRANT}.networks", ["10.1.2.3/16"]),
        "keys.wd.grants[0].networks[0]",
        'has another spelling; write "10.1.0.0/16"',
    ),
    # When a grant is in force.
    "expiry": (
        (f"{GRANT}.expires", "2027-01-31"),
        "keys.wd.grants[0].expires",
        'is not a time; write it in UTC, like "2027-01-31T00:00:00Z"',
    ),
    "expiry in another spelling": (
        (f"{GRANT}.expires", "2027-1-31T00:00:00Z"),
        "keys.wd.grants[0].expires",
        "is not a time",
    ),
    "expiry before the epoch": (
        (f"{GRANT}.expires", "1969-01-31T00:00:00Z"),
        "keys.wd.grants[0].expires",
        "is not a time",
    ),
    "over before it begins": (
        (
            GRANT,
            {
                "id": "a",
                "callers": ["a.b"],
                "action": "x",
                "not_before": "2027-01-01T00:00:00Z",
                "expires": "2027-01-01T00:00:00Z",
            },
        ),
        "keys.wd.grants[0]",
        "is not before expires",
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
    "open for no time": (
        (f"{GRANT}.hours", HOURS | {"to": "08:00"}),
        "keys.wd.grants[0].hours",
        "from and to are both 08:00; all day is from 00:00 to 24:00",
    ),
    "until midnight": (
        (f"{GRANT}.hours", HOURS | {"to": "00:00"}),
        "keys.wd.grants[0].hours",
        'write to = "24:00"',
    ),
    "hours in a list": (
        (f"{GRANT}.hours", [HOURS, HOURS | {"tz": "London"}]),
        "keys.wd.grants[0].hours[1].tz",
        "is not an IANA time zone",
    ),
    "no hours": ((f"{GRANT}.hours", []), "keys.wd.grants[0].hours", "must not be empty"),
    "hours as text": ((f"{GRANT}.hours", "always"), "keys.wd.grants[0].hours", "must be a table"),
    "closed date": (
        (f"{GRANT}.hours", HOURS | {"closed": ["20261225"]}),
        "keys.wd.grants[0].hours.closed[0]",
        'is not a date; write it like "2026-12-25"',
    ),
    "closed on no date": (
        (f"{GRANT}.hours", HOURS | {"closed": ["2026-02-29"]}),
        "keys.wd.grants[0].hours.closed[0]",
        "is not a date",
    ),
    "unknown hours field": (
        (f"{GRANT}.hours", HOURS | {"until": "1"}),
        "keys.wd.grants[0].hours.until",
        "unknown field; known here: tz, days, from, to, closed",
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
    "table as an action": ((f"{GRANT}.action", {}), "keys.wd.grants[0].action", "not a table"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_grant_names_the_place_and_the_remedy(
    case: str, tree: Tree, edit: Edit, problems: Problems
) -> None:
    """Each mistake is reported with its path and with what would be right."""
    (where, value), path, message = CASES[case]
    edit(tree, where, value)
    found = problems(tree)
    assert any(problem.path == path and message in problem.message for problem in found), found
