"""Orders without a price: what they count at, and what a change of that may do."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.amounts import MAX_AMOUNT
from policy.compare import compare, is_looser
from policy.engine import Unused, decide
from policy.markets import PRICE_DECIMALS, priced
from policy.model import Ask, Decision, Facts, Role, Side, Transfer
from policy.reading import read
from policy.reasons import Code
from policy.rules import Policy
from policy.words import sentence

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]

MARKET = "venue:spot/BTCUSD"
ONE = 10**PRICE_DECIMALS
PRICES = {MARKET: {Side.BUY: 3 * ONE, Side.SELL: 2 * ONE}}


def _order(side: Side = Side.BUY, **changes: Any) -> Facts:
    amount, decimals = (MAX_AMOUNT, None) if side is Side.BUY else (5, 0)
    moved = Transfer("USD", amount, MARKET, decimals=decimals)
    facts: dict[str, Any] = {
        "action": "intent.transfer",
        "transfers": (moved, Transfer("USD", 1, None, Role.FEE, 0)),
        "venue": "venue",
        "symbol": "BTCUSD",
        "side": side,
        "order_type": "market",
        "quantity": "5",
    }
    return Facts(**facts | changes)


@pytest.mark.parametrize(
    ("quantity", "price", "spent"),
    [
        ("5", 3 * ONE, 15 * ONE),
        ("0.000000000000000001", 1, 1),  # rounded up: never nothing
        ("0.5", 2, 1),
        ("1.5", 1, 2),
    ],
)
def test_a_buy_spends_at_the_worst_price(quantity: str, price: int, spent: int) -> None:
    """Quantity times price, exact or rounded up; what else moves is untouched."""
    facts, reasons = priced({MARKET: {Side.BUY: price}}, _order(quantity=quantity))
    assert reasons == []
    assert (facts.transfers[0].amount, facts.transfers[0].decimals) == (spent, PRICE_DECIMALS)
    assert facts.transfers[1] == _order().transfers[1]


def test_what_has_an_amount_keeps_it() -> None:
    """A sale gives its quantity, and a buy for a sum that sum, at any price."""
    sale, _ = priced(PRICES, _order(Side.SELL))
    assert (sale.transfers, sale.price) == (_order(Side.SELL).transfers, "2")
    sum_ = (Transfer("USD", 7, MARKET, decimals=0),)
    bought, _ = priced(PRICES, _order(transfers=sum_, quantity=None))
    assert (bought.transfers, bought.price) == (sum_, "3")


@pytest.mark.parametrize("facts", [_order(price="9"), Facts("venue.cancel", ())])
def test_everything_else_stays_as_it_is(facts: Facts, policy: Policy) -> None:
    """An order with a price, and what is no order, need no market."""
    assert read(policy, facts) == (facts, [])


def test_reading_again_changes_nothing(trading: Tree, compiled: Compile) -> None:
    """What was priced has a price, so that a record can be judged anew."""
    policy = compiled(trading)
    once, _ = read(policy, _order())
    assert once.price == "3"
    assert read(policy, once) == (once, [])


@pytest.mark.parametrize(
    ("markets", "facts"),
    [
        ({}, _order()),
        ({MARKET: {Side.SELL: 2}}, _order()),
        ({"venue:spot/ETHUSD": {Side.BUY: 2}}, _order()),
        (PRICES, _order(transfers=())),
    ],
)
def test_without_a_worst_price_it_is_refused(markets: Any, facts: Facts) -> None:
    """Another market, another side or no market at all: the reason names what is missing."""
    same, (reason,) = priced(markets, facts)
    assert same is facts
    assert reason.code is Code.PRICE_NOT_ALLOWED
    assert reason.rule == f"markets.{MARKET if facts.transfers else ''}"


@pytest.fixture
def policy(tree: Tree, compiled: Compile) -> Policy:
    """A policy without markets."""
    return compiled(tree)


@pytest.fixture
def trading(tree: Tree) -> Tree:
    """A key that may trade one market for at most 16 dollars a request."""
    grant = tree["keys"]["pay"]["grants"][0]
    grant |= {
        "destinations": [MARKET],
        "venues": ["venue"],
        "symbols": ["BTCUSD"],
        "sides": ["buy", "sell"],
        "order_types": ["market"],
    }
    tree["keys"]["pay"]["limits"][0] = {
        "asset": "USD",
        "per_request": "16",
        "windows": [{"span": "1h", "total": "16"}],
    }
    tree["markets"] = {MARKET: {"buy": "3", "sell": "2"}}
    return tree


def _decide(policy: Policy, facts: Facts) -> Decision:
    ask = Ask("pay", "intent", "spiffe://firm.example/bot", facts)
    return decide(policy, ask, Unused(), 0)


def _codes(policy: Policy, facts: Facts) -> list[Code]:
    return [reason.code for reason in _decide(policy, facts).reasons]


def test_limits_hold_at_the_worst_price(trading: Tree, compiled: Compile) -> None:
    """Five at 3 and a fee of 1 are 16; a little more of quantity or price is too much."""
    decision = _decide(compiled(trading), _order())
    assert decision.allowed
    assert [charge.amount for charge in decision.charges] == [1600]
    exceeded = [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL]
    assert _codes(compiled(trading), _order(quantity="5.001")) == exceeded
    trading["markets"][MARKET]["buy"] = "3.01"
    assert _codes(compiled(trading), _order()) == exceeded
    del trading["markets"]
    assert _codes(compiled(trading), _order()) == [Code.PRICE_NOT_ALLOWED, *exceeded]


def test_a_grants_worst_price_holds_too(trading: Tree, compiled: Compile) -> None:
    """The market's price stands for the order's own, so that a grant can be stricter."""
    grant = trading["keys"]["pay"]["grants"][0]
    grant["worst_price"] = {"buy": "3", "sell": "2"}
    assert _decide(compiled(trading), _order()).allowed
    assert _decide(compiled(trading), _order(Side.SELL)).allowed
    grant["worst_price"] = {"buy": "2.99", "sell": "2.01"}
    for side in Side:
        assert _codes(compiled(trading), _order(side)) == [Code.PRICE_NOT_ALLOWED]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({}, {"buy": "3"}, [("buy", "looser", "changes from none to 3")]),
        ({"buy": "3"}, {}, [("buy", "tighter", "changes from 3 to none")]),
        ({"buy": "3"}, {"buy": "4"}, [("buy", "tighter", "changes from 3 to 4")]),
        ({"buy": "3"}, {"buy": "2"}, [("buy", "looser", "changes from 3 to 2")]),
        ({"sell": "3"}, {"sell": "4"}, [("sell", "looser", "changes from 3 to 4")]),
        ({"sell": "3"}, {"sell": "2"}, [("sell", "tighter", "changes from 3 to 2")]),
        ({"sell": "3"}, {"sell": "3"}, []),
    ],
)
def test_a_change_is_told(trading: Tree, compiled: Compile, old: Any, new: Any, told: Any) -> None:
    """A lower price for buys lets more through, a higher one for sales passes more grants."""
    policies = []
    for table in (old, new):
        trading["markets"] = {MARKET: table} if table else {}
        policies.append(compiled(trading))
    changes = [(item.path, item.direction.value, item.description) for item in compare(*policies)]
    assert changes == [(f"markets.{MARKET}.{side}", *rest) for side, *rest in told]


_tables = st.fixed_dictionaries(
    {}, optional={side: st.integers(1, 5).map(str) for side in ("buy", "sell")}
)
_grants = st.none() | _tables.filter(bool)


@settings(max_examples=200, deadline=None)
@given(_tables, _tables, _grants, st.sampled_from(Side), st.integers(1, 8).map(str))
def test_no_change_is_called_tighter_that_lets_more_through(
    compiled: Compile, old: Tree, new: Tree, worst: Tree | None, side: Side, quantity: str
) -> None:
    """Whatever the new prices allow, the old ones allow too, unless the change is looser."""
    policies = []
    for table in (old, new):
        tree = _whole(table, worst)
        policies.append(compiled(tree))
    allowed = [_decide(policy, _order(side, quantity=quantity)).allowed for policy in policies]
    if not is_looser(compare(*policies)):
        assert allowed[0] or not allowed[1]


def _whole(table: Tree, worst: Tree | None) -> Tree:
    grant = {
        "id": "g",
        "callers": ["spiffe://firm.example/bot"],
        "action": "intent.transfer",
        "assets": ["USD"],
        "destinations": [MARKET],
        "venues": ["venue"],
        "symbols": ["BTCUSD"],
        "sides": ["buy", "sell"],
        "order_types": ["market"],
    }
    limit = {"asset": "USD", "per_request": "9", "windows": [{"span": "1h", "total": "9"}]}
    key = {
        "algorithm": "ed25519",
        "payloads": ["intent"],
        "grants": [grant | ({"worst_price": worst} if worst else {})],
        "limits": [limit],
    }
    markets = {"markets": {MARKET: table}} if table else {}
    return {"schema": 1, "assets": {"USD": {"decimals": 0}}, "keys": {"pay": key}} | markets


def test_a_market_needs_a_price(trading: Tree, problems: Callable[[Tree], Any]) -> None:
    """A table that bounds nothing, and a price that is none, are problems with their place."""
    trading["markets"] = {MARKET: {}, "other": {"buy": "-1"}}
    paths = {problem.path for problem in problems(trading)}
    assert paths == {f'markets."{MARKET}"', "markets.other.buy"}


def test_words_say_that_there_is_no_price() -> None:
    """Whoever approves such an order is told so."""
    assert "buys 5 of BTCUSD at any price" in sentence(_order(), {})
    told = sentence(_order(quantity=None), {})
    assert "buys as much as it pays for of BTCUSD at any price" in told
