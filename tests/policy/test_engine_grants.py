"""Grants: which lets a request pass, and who else has to agree."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from policy.model import Side, Transfer
from policy.reasons import Code
from policy.rules import Policy
from tests.policy.deciding import BOT, NOON, OFFICERS, OMNIBUS, codes_of, decided, pay, saying, send

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]


@pytest.fixture
def policy(tree: Tree, compiled: Compile) -> Policy:
    """The document as it stands."""
    return compiled(tree)


def _second(tree: Tree, **fields: Any) -> None:
    grants = tree["keys"]["pay"]["grants"]
    grants.append(grants[0] | {"id": "more"} | fields)


def test_grants_are_alternatives(tree: Tree, compiled: Compile) -> None:
    """One grant that matches in full is enough."""
    _second(tree, destinations=["other"])
    decision = decided(compiled(tree), pay(destination="other"))
    assert decision.grant == "more"


def test_grants_do_not_add_up(tree: Tree, compiled: Compile) -> None:
    """Half of one grant and half of another allow nothing."""
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    _second(tree, destinations=["other"], assets=["EUR"])
    assert not decided(compiled(tree), pay(destination="other")).allowed


def test_another_grant_does_not_get_round_a_limit(tree: Tree, compiled: Compile) -> None:
    """Limits hold whichever grant matches."""
    _second(tree)
    assert codes_of(decided(compiled(tree), pay(1001))) == [Code.LIMIT_PER_REQUEST]


def test_a_grant_of_somebody_else_explains_nothing(tree: Tree, compiled: Compile) -> None:
    """Only the grants that name the caller are in the reasons."""
    _second(tree, callers=["spiffe://firm.example/other"], destinations=["evil"])
    decision = decided(compiled(tree), pay(destination="evil"))
    assert [reason.rule for reason in decision.reasons] == [
        "keys.pay.grants.suppliers.destinations"
    ]


def test_the_nearest_grant_speaks_first(tree: Tree, compiled: Compile) -> None:
    """The grant with the fewest failures is the one that the caller meant."""
    _second(tree, id="a", assets=["EUR"])
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    decision = decided(compiled(tree), pay(destination="evil"))
    assert [reason.rule.split(".")[3] for reason in decision.reasons] == ["suppliers", "a", "a"]


def _approve(tree: Tree, **fields: Any) -> None:
    approval = {"above": "5", "quorum": 2, "approvers": OFFICERS} | fields
    tree["keys"]["pay"]["grants"][0]["approval"] = approval


@pytest.mark.parametrize(
    ("amount", "approved_by", "allowed"),
    [
        (500, [], True),
        (501, [], False),
        (501, OFFICERS[:1], False),
        (501, [*OFFICERS[:1], "spiffe://firm.example/stranger"], False),
        (501, OFFICERS, True),
    ],
)
def test_larger_amounts_take_a_quorum(
    amount: int,
    approved_by: list[str],
    allowed: bool,  # noqa: FBT001 — a table
    tree: Tree,
    compiled: Compile,
) -> None:
    """Above the bound, enough of the named approvers must agree; nobody else counts."""
    _approve(tree)
    decision = decided(compiled(tree), pay(amount), approved_by=frozenset(approved_by))
    assert decision.allowed is allowed
    assert allowed or codes_of(decision) == [Code.APPROVAL_REQUIRED]


@pytest.mark.parametrize("assets", [["USD", "EUR"], ["EUR", "USD"]])
def test_the_assets_that_need_approval_are_named_in_one_order(
    assets: list[str], tree: Tree, compiled: Compile
) -> None:
    """The order of a document's lists shows nowhere, not even in the details."""
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    tree["keys"]["pay"]["grants"][0]["assets"] = assets
    _approve(tree)
    ask = saying(pay(), transfers=tuple(Transfer(name, 501, "acme") for name in assets))
    assert decided(compiled(tree), ask).reasons[0].detail == "EUR, USD: 0 of 2 approvals"


def test_only_what_moves_needs_approval(tree: Tree, compiled: Compile) -> None:
    """Not another asset of the grant, where everything above nothing needs it."""
    tree["keys"]["pay"]["limits"].append(tree["keys"]["pay"]["limits"][0] | {"asset": "EUR"})
    tree["keys"]["pay"]["grants"][0]["assets"] = ["USD", "EUR"]
    _approve(tree)
    tree["keys"]["pay"]["grants"][0]["approval"]["above"] = "0"
    assert decided(compiled(tree), pay(1)).reasons[0].detail == "USD: 0 of 2 approvals"


def test_nobody_approves_a_request_of_their_own(tree: Tree, compiled: Compile) -> None:
    """The caller is an approver like others, but not of what it asks for itself."""
    _approve(tree, quorum=1, approvers=[BOT, OFFICERS[0]])
    policy = compiled(tree)
    assert not decided(policy, pay(501), approved_by=frozenset({BOT})).allowed
    assert decided(policy, pay(501), approved_by=frozenset(OFFICERS[:1])).allowed


def test_a_missing_approval_speaks_before_any_other_single_failure(
    tree: Tree, compiled: Compile
) -> None:
    """It is what the caller can do something about."""
    _second(tree, id="a", destinations=["other"])
    _approve(tree)
    assert codes_of(decided(compiled(tree), pay(501))) == [
        Code.APPROVAL_REQUIRED,
        Code.DESTINATION_NOT_ALLOWED,
    ]


def test_a_grant_is_closed_outside_its_hours(tree: Tree, compiled: Compile) -> None:
    """The time of the decision counts, on the wall clock of the grant."""
    hours = {"tz": "Asia/Tokyo", "days": "mon", "from": "21:00", "to": "22:00"}
    tree["keys"]["pay"]["grants"][0]["hours"] = hours
    policy = compiled(tree)
    assert decided(policy, pay()).allowed
    assert codes_of(decided(policy, pay(), now=NOON - 1)) == [Code.OUTSIDE_HOURS]
    assert codes_of(decided(policy, pay(), now=NOON + 3_600_000)) == [Code.OUTSIDE_HOURS]


def test_sources_are_named_one_by_one(tree: Tree, compiled: Compile) -> None:
    """A grant with sources moves theirs, and not the key's own funds."""
    grant = tree["keys"]["wd"]["grants"][0]
    grant |= {"action": "erc20.transferFrom", "sources": ["@treasury"]}
    policy, ask = compiled(tree), send(action="erc20.transferFrom", source=OMNIBUS)
    assert decided(policy, ask).allowed
    assert codes_of(decided(policy, saying(ask, source="0x22"))) == [Code.SOURCE_NOT_ALLOWED]
    assert codes_of(decided(policy, saying(ask, source=None))) == [Code.SOURCE_NOT_ALLOWED]


ORDER_GRANT = {
    "venues": ["binance"],
    "symbols": ["BTCUSDT"],
    "sides": ["buy", "sell"],
    "order_types": ["LIMIT"],
    "worst_price": {"buy": "70000", "sell": "50000.5"},
}
ORDER = {
    "venue": "binance",
    "symbol": "BTCUSDT",
    "side": Side.BUY,
    "order_type": "LIMIT",
    "price": "70000",
}


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"side": Side.SELL, "price": "50000.5"}, []),
        ({"venue": "okx"}, [Code.ORDER_NOT_ALLOWED]),
        ({"venue": None}, [Code.ORDER_NOT_ALLOWED]),
        ({"symbol": "ETHUSDT"}, [Code.ORDER_NOT_ALLOWED]),
        (
            {"order_type": "MARKET", "price": None},
            [Code.PRICE_NOT_ALLOWED, Code.ORDER_NOT_ALLOWED, Code.PRICE_NOT_ALLOWED],
        ),
        ({"side": None}, [Code.ORDER_NOT_ALLOWED, Code.PRICE_NOT_ALLOWED]),
        ({"price": "70000.000000000000000000000000000000000001"}, [Code.PRICE_NOT_ALLOWED]),
        ({"side": Side.SELL, "price": "50000.4"}, [Code.PRICE_NOT_ALLOWED]),
        ({"session": True}, [Code.SESSION_NOT_ALLOWED]),
    ],
)
def test_an_order_is_granted_field_by_field(
    facts: dict[str, Any], codes: list[Code], tree: Tree, compiled: Compile
) -> None:
    """Venue, symbol, side and type are listed; a price may be as bad as the grant says."""
    tree["keys"]["pay"]["grants"][0] |= ORDER_GRANT
    assert codes_of(decided(compiled(tree), saying(pay(), **(ORDER | facts)))) == codes


@pytest.mark.parametrize("fact", ["venue", "symbol", "side", "order_type"])
def test_what_a_grant_does_not_list_is_denied(fact: str, policy: Policy) -> None:
    """An order needs a grant that speaks of orders."""
    asked = saying(pay(), **{"price": "1", fact: ORDER[fact]})
    assert codes_of(decided(policy, asked)) == [Code.ORDER_NOT_ALLOWED]


def test_a_side_without_a_price_is_denied(tree: Tree, compiled: Compile) -> None:
    """A worst price for buys says nothing good about sales."""
    tree["keys"]["pay"]["grants"][0] |= ORDER_GRANT | {"worst_price": {"buy": "1"}}
    asked = saying(pay(), **(ORDER | {"side": Side.SELL}))
    assert codes_of(decided(compiled(tree), asked)) == [Code.PRICE_NOT_ALLOWED]


def test_a_session_is_granted_by_name(tree: Tree, compiled: Compile) -> None:
    """A grant without assets lets a logon pass that moves nothing, and no payment."""
    grant = tree["keys"]["pay"]["grants"][0]
    grant["session"] = True
    del grant["assets"], grant["destinations"]
    policy = compiled(tree)
    assert decided(policy, saying(pay(), session=True, transfers=())).allowed
    refused = decided(policy, saying(pay(), session=True))
    assert codes_of(refused) == [Code.ASSET_NOT_ALLOWED, Code.DESTINATION_NOT_ALLOWED]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("10.2.0.0", False),
        ("::ffff:10.2.0.0", False),
        ("2001:db9::", False),
        ("10.1.2.3:443", False),
        ("unix", False),
        (None, False),
    ],
)
def test_a_caller_comes_from_its_network(
    address: str | None,
    allowed: bool,  # noqa: FBT001 — a table
    tree: Tree,
    compiled: Compile,
) -> None:
    """IPv4 is the same over either kind of socket; what is no address is nowhere."""
    tree["keys"]["pay"]["grants"][0]["networks"] = ["10.1.0.0/16", "2001:db8::/32"]
    decision = decided(compiled(tree), replace(pay(), address=address))
    assert codes_of(decision) == ([] if allowed else [Code.NETWORK_NOT_ALLOWED])


@pytest.mark.parametrize(
    ("now", "codes"),
    [
        (NOON - 1, [Code.GRANT_NOT_IN_FORCE]),
        (NOON, []),
        (NOON + 59_999, []),
        (NOON + 60_000, [Code.GRANT_NOT_IN_FORCE]),
    ],
)
def test_a_grant_begins_and_ends(
    now: int, codes: list[Code], tree: Tree, compiled: Compile
) -> None:
    """From its first millisecond up to its end, which is excluded."""
    grant = tree["keys"]["pay"]["grants"][0]
    grant |= {"not_before": "2026-11-23T12:00:00Z", "expires": "2026-11-23T12:01:00Z"}
    assert codes_of(decided(compiled(tree), pay(), now=now)) == codes


def test_a_grant_is_open_in_any_of_its_hours(tree: Tree, compiled: Compile) -> None:
    """Two windows on the same day, closed in between."""
    hours = {"tz": "UTC", "days": "mon"}
    morning, evening = (
        hours | {"from": "08:00", "to": "12:00"},
        hours | {"from": "13:00", "to": "18:00"},
    )
    tree["keys"]["pay"]["grants"][0]["hours"] = [morning, evening]
    policy = compiled(tree)
    assert codes_of(decided(policy, pay())) == [Code.OUTSIDE_HOURS]
    for now in (NOON - 1, NOON + 3_600_000):
        assert decided(policy, pay(), now=now).allowed
