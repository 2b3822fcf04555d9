"""What proves that a market's price or a pinned call of a contract is looser now."""

from typing import Any

import pytest

from policy.compare import Change, Direction, compare
from policy.document import load
from policy.engine import decide
from policy.payloads import FORMATS
from policy.rules import Policy
from policy.telling import witnessed
from tests.policy.writing import toml

Tree = dict[str, Any]

CONTRACT = "0x3333333333333333333333333333333333333333"
HOLDER = "0x1111111111111111111111111111111111111111"
TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SUNDAY = {"tz": "UTC", "days": "sun", "from": "08:00", "to": "09:00"}
HOUR = {"span": "1h", "total": "1000"}
ORDER = {
    "action": "intent.transfer",
    "assets": ["USD"],
    "destinations": ["venue:BTCUSD"],
    "symbols": ["BTCUSD"],
    "sides": ["buy", "sell"],
}
CALL = {
    "action": "call.vault.put",
    "chain_ids": [1],
    "assets": ["USDC@eip155:1", "ETH@eip155:1"],
    "destinations": [CONTRACT, HOLDER],
}
PUT = {
    "signature": "put(uint256 sum, address to, bytes4 tag)",
    "amount": "sum",
    "asset": "USDC@eip155:1",
    "destination": "to",
    "fixed": {"tag": "0x00000001"},
}
WRAP = {
    "signature": "put(bytes4 tag)",
    "amount": "msg.value",
    "fixed": {"tag": "0x00000001"},
}
ANY = {
    "signature": "put(uint256 sum, address token, address to, bytes4 tag)",
    "amount": "sum",
    "asset_from": "token",
    "destination": "to",
    "fixed": {"tag": "0x00000001"},
}
FREE = {name: value for name, value in PUT.items() if name != "fixed"} | {"free": ["tag"]}


def _policy(grant: Tree, per_request: str = "9", **shared: Tree) -> Policy:
    names = ("USD", "USDC@eip155:1", "ETH@eip155:1")
    key = {
        "algorithm": "ecdsa-secp256k1",
        "payloads": ["ethereum.transaction", "intent"],
        "grants": [{"id": "g", "callers": ["a.example"]} | grant],
        "limits": [
            {"asset": name, "per_request": per_request, "windows": [HOUR]} for name in names
        ],
    }
    assets = {"USD": {"decimals": 2}, "USDC@eip155:1": {"decimals": 6, "contract": TOKEN}}
    return load(toml({"schema": 1, "assets": assets, "keys": {"k": key}} | shared), FORMATS)


def _trading(prices: Tree, **grant: object) -> Policy:
    return _policy(ORDER | grant, markets={"venue:BTCUSD": prices} if prices else {})


def _calling(call: Tree, **grant: object) -> Policy:
    vault = {"address": CONTRACT, "chain_id": 1, "calls": {"put": call}}
    return _policy(CALL | grant, contracts={"vault": vault})


def _looser(old: Policy, new: Policy) -> Change:
    (found,) = (item for item in compare(old, new) if item.direction is Direction.LOOSER)
    return found


def _is_proven(old: Policy, new: Policy) -> bool:
    """Whether the engine allows the witness under the new policy and not under the old one."""
    item = _looser(old, new).witness
    if item is None:
        return False
    denied, allowed = (
        decide(policy, item.ask, item, item.at_ms, item.approved_by) for policy in (old, new)
    )
    return allowed.allowed and not denied.allowed


@pytest.mark.parametrize(
    ("old", "new", "grant"),
    [
        ({}, {"buy": "3"}, {}),
        ({"buy": "4"}, {"buy": "3", "sell": "1"}, {"sides": ["sell"]}),
        ({"buy": "3"}, {"buy": "2.5"}, {}),
        ({"buy": "3"}, {"buy": "2"}, {"worst_price": {"buy": "2"}}),
        ({"sell": "1"}, {"sell": "2"}, {"worst_price": {"sell": "2"}}),
        ({"buy": "3"}, {"buy": "2"}, {"hours": SUNDAY}),
    ],
)
def test_a_market_order_proves_a_better_price(old: Tree, new: Tree, grant: Tree) -> None:
    """An order without a price is found, for each side, at the edge of what now passes."""
    before, after = _trading(old, **grant), _trading(new, **grant)
    found = [item for item in compare(before, after) if item.direction is Direction.LOOSER]
    proven = [item.witness for item in found if item.witness]
    assert proven
    for item in proven:
        assert item.ask.facts.price is None
        assert decide(after, item.ask, item, item.at_ms, item.approved_by).allowed
        assert not decide(before, item.ask, item, item.at_ms, item.approved_by).allowed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (PUT, FREE),
        (PUT, PUT | {"fixed": {"tag": "0x00000002"}}),
        (PUT, WRAP),
        (WRAP, ANY),
        (ANY | {"fixed": {"tag": "0x00000003"}}, ANY),
    ],
)
def test_a_call_proves_that_it_is_pinned_otherwise(old: Tree, new: Tree) -> None:
    """Its words hold an amount, a token, a place and what is fixed or free."""
    assert _is_proven(_calling(old), _calling(new))


def test_a_call_that_moves_nothing_proves_itself() -> None:
    """It has no transfers, and only its words to go by."""
    tick = {"signature": "put(bool now)", "free": ["now"]}
    fixed = {"signature": "put(bool now)", "fixed": {"now": "false"}}
    nothing = {"action": "call.vault.put", "chain_ids": [1]}
    vault = {"address": CONTRACT, "chain_id": 1}
    old, new = (
        _policy(nothing, contracts={"vault": vault | {"calls": {"put": call}}})
        for call in (fixed, tick)
    )
    assert _is_proven(old, new)


@pytest.mark.parametrize("narrow", [{"callers": ["b.example"]}, {"destinations": [HOLDER]}])
def test_a_wider_grant_of_a_call_is_proven_by_a_call(narrow: Tree) -> None:
    """No payload names the call's action itself: its decoder gives a call to read."""
    before, after = _calling(PUT, **narrow), _calling(PUT)
    assert _is_proven(before, after)
    item = _looser(before, after).witness
    assert item is not None
    assert item.ask.facts.call is not None


def test_the_gas_of_a_call_proves_a_raised_limit() -> None:
    """A call pays its fee beside what it moves, and where it moves nothing."""
    tick = {"signature": "put(bool now)", "free": ["now"]}
    vault = {"address": CONTRACT, "chain_id": 1, "calls": {"put": tick}}
    grant = {"action": "call.vault.put", "chain_ids": [1]}
    text = {"contracts": {"vault": vault}}
    old, new = (_policy(grant, per_request=most, **text) for most in ("8", "9"))
    paths = {item.path for item in compare(old, new) if item.witness}
    assert 'keys.k.limits."ETH@eip155:1".per_request' in paths


@pytest.mark.parametrize("change", [{"sides": ["sell"]}, {"destinations": ["elsewhere"]}])
def test_a_price_that_nobody_trades_at_has_no_witness(change: Tree) -> None:
    """No grant lets an order of the market through: looser, and nothing to show."""
    assert _looser(_trading({}, **change), _trading({"buy": "3"}, **change)).witness is None


def test_a_price_that_is_too_bad_either_way_has_no_witness() -> None:
    """The grant refuses the order at both prices."""
    bad = {"worst_price": {"buy": "1"}}
    assert _looser(_trading({"buy": "3"}, **bad), _trading({"buy": "2"}, **bad)).witness is None


def test_a_call_that_nobody_may_make_has_no_witness() -> None:
    """Neither has one of which no grant lets the place through."""
    other = {"action": "erc20.transfer"}
    assert _looser(_calling(PUT, **other), _calling(FREE, **other)).witness is None
    place = {"destinations": ["elsewhere"]}
    assert _looser(_calling(PUT, **place), _calling(FREE, **place)).witness is None


def test_the_witness_is_told_in_words() -> None:
    """A reviewer reads what the order or the call is, without decoding anything."""
    order = _looser(_trading({}), _trading({"buy": "3"})).witness
    assert order is not None
    (line,) = witnessed(order)
    assert line.endswith("to venue:BTCUSD, buy 0.003333333333333333 without a price")
    sale = _looser(_trading({}), _trading({"sell": "3"})).witness
    assert sale is not None
    (line,) = witnessed(sale)
    assert line.endswith("1 base units of USD to venue:BTCUSD, sell 0.01 without a price")
    call = _looser(_calling(PUT), _calling(FREE)).witness
    assert call is not None
    (line,) = witnessed(call)
    assert f"call of {CONTRACT} with 0x" in line
    paid = _looser(_calling(PUT), _calling(WRAP)).witness
    assert paid is not None
    assert " base units of coins" in next(witnessed(paid))
