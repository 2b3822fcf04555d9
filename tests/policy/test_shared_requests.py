"""The requests that try what only the policy can read: orders without a price, and calls."""

from collections.abc import Iterator
from typing import Any

import pytest

from policy import reading
from policy.compare import shared
from policy.compare.edit import Edit
from policy.compare.requests import requests
from policy.document import load
from policy.model import CONTRACT_CALL, Ask, Role, Side
from policy.payloads import FORMATS
from policy.rules import Policy
from tests.policy.writing import toml

Tree = dict[str, Any]

CONTRACT = "0x3333333333333333333333333333333333333333"
HOLDER = "0x1111111111111111111111111111111111111111"
TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
DOTTED = "venue:BTC.USD"  # a market's name may have dots, like the path that has it
ORDER: Tree = {
    "action": "intent.transfer",
    "assets": ["USD"],
    "destinations": ["another", DOTTED],
    "symbols": ["BTC"],
    "sides": ["buy", "sell"],
}
SWAP: Tree = {
    "action": "cow.order",
    "chain_ids": [1],
    "assets": ["USDC@eip155:1"],
    "destinations": [HOLDER],
    "venues": ["cow"],
    "symbols": ["USDC@eip155:1/ETH@eip155:1", "USDC@eip155:1", "USD/X"],
    "sides": ["buy", "sell"],
    "order_types": ["limit"],
}
CALL: Tree = {
    "action": "call.vault.put",
    "chain_ids": [1],
    "assets": ["USDC@eip155:1", "ETH@eip155:1"],
    "destinations": [CONTRACT, HOLDER],
}
KINDS = "uint256 sum, address to, bool now, bytes4 tag, uint16 more"
PUT: Tree = {
    "signature": f"put({KINDS})",
    "amount": "sum",
    "asset": "USDC@eip155:1",
    "destination": "to",
    "free": ["now", "tag", "more"],
}


def _policy(grant: Tree, **shared_by_keys: Tree) -> Policy:
    names = ("USD", "USDC@eip155:1", "ETH@eip155:1")
    windows = [{"span": "1h", "total": "1000"}]
    key = {
        "algorithm": "ecdsa-secp256k1",
        "payloads": ["ethereum.transaction", "ethereum.typed-data", "intent"],
        "grants": [{"id": "g", "callers": ["a.example"]} | grant],
        "limits": [{"asset": name, "per_request": "9", "windows": windows} for name in names],
    }
    assets = {"USD": {"decimals": 2}, "USDC@eip155:1": {"decimals": 6, "contract": TOKEN}}
    tree = {"schema": 1, "assets": assets, "keys": {"k": key}} | shared_by_keys
    return load(toml(tree), FORMATS)


def _edit(policy: Policy, path: str = "") -> Edit:
    key = policy.keys["k"]
    return Edit(path, None, key, None, key.grants[0])


def _trading(**prices: str) -> Policy:
    return _policy(ORDER, markets={DOTTED: prices})


def _swapping(**worst: str) -> Policy:
    return _policy(SWAP | {"worst_price": worst, "symbols": SWAP["symbols"][:1]})


def _calling(call: Tree = PUT) -> Policy:
    vault = {"address": CONTRACT, "chain_id": 1, "calls": {"put": call}}
    return _policy(CALL, contracts={"vault": vault})


def _made(policy: Policy, path: str) -> Iterator[Ask]:
    make = shared.maker(policy, path)
    assert make is not None
    return (ask for ask, _ in make(_edit(policy)))


@pytest.mark.parametrize(
    ("path", "is_known"),
    [
        (f"markets.{DOTTED}.buy", True),
        (f"markets.{DOTTED}.sell", False),
        ("markets.elsewhere.buy", False),
        (f"{DOTTED}.buy", False),
        ("keys.k.grants.g", False),
    ],
)
def test_only_prices_and_calls_that_there_are_are_tried(path: str, *, is_known: bool) -> None:
    """A price that the policy does not name, or another path, has no requests of its own."""
    assert (shared.maker(_trading(buy="3"), path) is not None) == is_known


@pytest.mark.parametrize("side", Side)
def test_orders_are_what_the_market_trades(side: Side) -> None:
    """Without a price, to that market, on that side, and known by their quantity."""
    policy = _trading(**{side: "3"})
    made = list(_made(policy, f"markets.{DOTTED}.{side}"))
    assert made
    for ask in made:
        facts = ask.facts
        assert (facts.side, facts.price) == (side, None)
        assert facts.quantity is not None
        assert [item.destination for item in facts.transfers] == [DOTTED]
        read, reasons = reading.read(policy, facts)
        assert not reasons
        assert read.price == "3"


@pytest.mark.parametrize(
    ("price", "quantity"),
    [
        ("3", "0.003333333333333333"),  # rounded down
        ("2", "0.005"),
        ("0." + "0" * 35 + "1", "1" + "0" * 34),
        ("0", "1" + "0" * 34),  # as if it were the least there is
    ],
)
def test_a_purchase_spends_what_it_is_to_spend(price: str, quantity: str) -> None:
    """The smallest one spends one base unit of money, 0.01, at the worst price."""
    facts = next(_made(_trading(buy=price), f"markets.{DOTTED}.buy")).facts
    assert facts.quantity == quantity


def test_a_sale_sells_what_it_moves() -> None:
    """Its quantity is the amount that leaves, in whole units."""
    sold = {ask.facts.quantity for ask in _made(_trading(sell="3"), f"markets.{DOTTED}.sell")}
    assert sold == {"0.01", "9"}


@pytest.mark.parametrize("change", [{"sides": ["sell"]}, {"destinations": ["elsewhere"]}])
def test_a_grant_of_other_orders_is_not_tried(change: Tree) -> None:
    """What it allows is not of this market, or not of this side."""
    policy = _policy(ORDER | change, markets={DOTTED: {"buy": "3"}})
    assert not list(_made(policy, f"markets.{DOTTED}.buy"))


@pytest.mark.parametrize(
    ("sell", "brings"),
    [("0.000000000000000002", 2), ("3", 3 * 10**18), ("0.0000000000000000021", 3), ("0", 1)],
)
def test_swaps_bring_the_least_that_passes(sell: str, brings: int) -> None:
    """They sell one whole unit, and never bring nothing."""
    policy = _swapping(sell=sell)
    edit = _edit(policy, "keys.k.grants.g.worst_price")
    swaps = [ask.facts for ask, _ in shared.usual(policy)(edit) if ask.facts.receives]
    assert swaps
    for facts in swaps:
        assert facts.receives is not None
        assert facts.receives.amount == brings
        assert [item.amount for item in facts.transfers] == [10**6]
        assert (facts.side, facts.price) == (Side.SELL, None)
        read, _ = reading.read(policy, facts)
        assert read.symbol == SWAP["symbols"][0]


def test_a_grant_that_bounds_no_sale_has_no_swaps() -> None:
    """Without a least price no swap passes."""
    policy = _swapping(buy="1")
    edit = _edit(policy, "keys.k.grants.g.worst_price")
    assert list(shared.usual(policy)(edit)) == list(requests(edit))


def test_swaps_are_for_what_changes_their_price() -> None:
    """Whatever else changes is tried with usual requests."""
    policy = _swapping(sell="1")
    edit = _edit(policy, "keys.k.grants.g.callers")
    assert list(shared.usual(policy)(edit)) == list(requests(edit))


def test_calls_are_what_the_policy_reads() -> None:
    """Each is what a decoder gives, in whole words, and means what it is to move."""
    policy = _calling()
    (call,) = policy.calls.values()
    free = set()
    for ask in _made(policy, call.path):
        assert ask.format.startswith("ethereum.")
        assert (ask.facts.action, ask.facts.chain_id) == (CONTRACT_CALL, 1)
        assert all(item.role is Role.FEE for item in ask.facts.transfers)
        assert ask.facts.call is not None
        data = bytes.fromhex(ask.facts.call.data)
        assert len(data) == 4 + 5 * 32
        free.add(data[4 + 2 * 32 :])
        read, reasons = reading.read(policy, ask.facts)
        assert not reasons
        assert read.action == "call.vault.put"
    assert len(free) == 3


def test_what_is_free_is_nothing_or_something() -> None:
    """A free parameter is zero, then one as a number, then one as bytes, if it can be."""
    policy = _calling()
    (call,) = policy.calls.values()
    words = []
    for ask in _made(policy, call.path):
        assert ask.facts.call is not None
        data = bytes.fromhex(ask.facts.call.data)[4:]
        words.append(tuple(data[at : at + 32] for at in range(64, 160, 32)))
    nothing, number, left = bytes(32), (1).to_bytes(32), b"\1" + bytes(31)
    assert words[:3] == [(nothing,) * 3, (number, nothing, number), (nothing, left, nothing)]
