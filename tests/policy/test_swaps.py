"""Swaps and signatures that others may use: prices, and how long they are good."""

from collections.abc import Callable
from typing import Any

import pytest

from policy import compare, document, reading
from policy.amounts import MAX_AMOUNT
from policy.compare import Direction
from policy.engine import Unused, decide
from policy.freezes import Freeze, frozen
from policy.model import Ask, Decision, Facts, Side, Transfer
from policy.payloads import FORMATS, decode
from policy.problems import PolicyError
from policy.reasons import Code, Reason
from policy.rules import Policy
from tests.policy.payloads.typed_examples import SOON, Tree, written
from tests.policy.payloads.typed_examples import document as typed

TAG = "ethereum.typed-data"
CALLER = "desk.firm.example"
OWNER = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"
SPENDER = "0x1111111111111111111111111111111111111111"
SYMBOL = "USDC@eip155:1/WETH@eip155:1"
NOW = (SOON - 60) * 1000
ASSETS = {
    "USDC@eip155:1": {"contract": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "decimals": 6},
    "WETH@eip155:1": {"contract": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "decimals": 18},
}
ORDER: Tree = {
    "id": "swap",
    "callers": [CALLER],
    "action": "cow.order",
    "chain_ids": [1],
    "assets": ["USDC@eip155:1"],
    "destinations": [OWNER],
    "venues": ["cow"],
    "symbols": [SYMBOL],
    "sides": ["sell"],
    "order_types": ["limit"],
    "worst_price": {"sell": "0.0003"},
}
PERMIT: Tree = {
    "id": "permit",
    "callers": [CALLER],
    "action": "erc20.permit",
    "chain_ids": [1],
    "assets": ["USDC@eip155:1"],
    "destinations": [SPENDER],
    "sources": [OWNER],
}


@pytest.fixture(scope="module")
def policy_of(write: Callable[[Tree], str]) -> Callable[..., Policy]:
    """Compile a policy with one grant, changed, and other assets."""

    def compiled(grant: Tree, assets: Tree | None = None, **changes: object) -> Policy:
        changed = {name: value for name, value in (grant | changes).items() if value is not None}
        limit = {"asset": "USDC@eip155:1", "per_request": "5000"}
        key = {
            "algorithm": "ecdsa-secp256k1",
            "payloads": [TAG],
            "grants": [changed],
            "limits": [limit | {"windows": [{"span": "1h", "total": "5000"}]}],
        }
        tree = {"schema": 1, "assets": ASSETS if assets is None else assets, "keys": {"k": key}}
        return document.load(write(tree), FORMATS)

    return compiled


def _ask(kind: str, **message: object) -> Ask:
    facts = decode(TAG, written(typed(kind, **message))).facts
    return Ask("k", TAG, CALLER, facts)


def _decided(policy: Policy, ask: Ask, now_ms: int = NOW) -> Decision:
    return decide(policy, ask, Unused(), now_ms)


def _codes(decision: Decision) -> list[Code]:
    return [reason.code for reason in decision.reasons]


def test_a_swap_has_a_symbol_and_a_price(policy_of: Callable[..., Policy]) -> None:
    """3,000 USDC for at least 1 WETH: each brings a 3,000th, rounded down."""
    facts, reasons = reading.read(policy_of(ORDER), _ask("Order").facts)
    assert reasons == []
    assert (facts.symbol, facts.side, facts.quantity) == (SYMBOL, Side.SELL, "3000")
    assert facts.price == "0." + "000" + "3" * 33
    assert reading.read(policy_of(ORDER), facts) == (facts, [])


# The least that 3,000 USDC bring, in base units of WETH, against 0.0003 each.
PRICES = {
    "exactly the bound": (9 * 10**17, []),
    "one unit less": (9 * 10**17 - 1, [Code.PRICE_NOT_ALLOWED]),
    "nothing": (0, [Code.PRICE_NOT_ALLOWED]),
    "more": (10**18, []),
    "more than there is": (2**256 - 1, []),
}


@pytest.mark.parametrize("name", PRICES)
def test_a_swap_brings_at_least_its_price(name: str, policy_of: Callable[..., Policy]) -> None:
    """Below the worst price an order is refused, however little is missing."""
    least, codes = PRICES[name]
    assert _codes(_decided(policy_of(ORDER), _ask("Order", buyAmount=str(least)))) == codes


def test_a_swap_without_a_bound_on_its_price_is_refused(policy_of: Callable[..., Policy]) -> None:
    """A grant that bounds no price allows no swap: what is sold could bring nothing."""
    policy = policy_of(ORDER, worst_price=None)
    assert _codes(_decided(policy, _ask("Order"))) == [Code.PRICE_NOT_ALLOWED]


REFUSED: dict[str, tuple[Tree, list[Code]]] = {
    "to somebody else": ({"receiver": "0x" + "22" * 20}, [Code.DESTINATION_NOT_ALLOWED]),
    "to whoever signs": ({"receiver": "0x" + "00" * 20}, [Code.DESTINATION_NOT_ALLOWED]),
    "an unknown token": (
        {"buyToken": "0x" + "22" * 20},
        [Code.ASSET_UNKNOWN, Code.ORDER_NOT_ALLOWED, Code.PRICE_NOT_ALLOWED],
    ),
    "another known asset": (
        {"buyToken": "0x" + "ee" * 20},
        [Code.ORDER_NOT_ALLOWED],
    ),
    "an unknown token is sold": (
        {"sellToken": "0x" + "22" * 20},
        [
            Code.ASSET_UNKNOWN,
            Code.ASSET_NOT_ALLOWED,
            Code.ORDER_NOT_ALLOWED,
            Code.PRICE_NOT_ALLOWED,
            Code.NO_LIMIT_FOR_ASSET,
        ],
    ),
    "too much": (
        {"sellAmount": "5000000001", "buyAmount": str(2 * 10**18)},
        [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL],
    ),
    "for too long": ({"validTo": str(SOON + 3541)}, [Code.EXPIRY_NOT_ALLOWED]),
    "too late": ({"validTo": str(SOON - 61)}, [Code.PAYLOAD_EXPIRED]),
}


def test_the_first_bound_on_a_price_is_looser(policy_of: Callable[..., Policy]) -> None:
    """Without one every swap is refused, so that a bound lets the first ones through."""
    old, new = policy_of(ORDER, worst_price=None), policy_of(ORDER)
    (found,) = compare.compare(old, new)
    assert found.direction is Direction.LOOSER
    assert found.description == "is new: swaps may pass, which had no price to keep to"
    item = found.witness
    assert item is not None
    assert item.ask.facts.receives is not None
    assert decide(new, item.ask, item, item.at_ms).allowed
    assert not decide(old, item.ask, item, item.at_ms).allowed


@pytest.mark.parametrize(
    "change",
    [
        {"symbols": ["USDC@eip155:1/X"]},
        {"symbols": ["X/USDC@eip155:1"]},
        {"sides": ["buy"]},
    ],
)
def test_a_bound_that_lets_no_swap_through_has_no_witness(
    change: Tree, policy_of: Callable[..., Policy]
) -> None:
    """It is looser all the same: another asset may get that name, or the grant that side."""
    old, new = policy_of(ORDER, worst_price=None, **change), policy_of(ORDER, **change)
    (found,) = compare.compare(old, new)
    assert (found.direction, found.witness) == (Direction.LOOSER, None)


def test_a_grant_that_moves_nothing_has_no_swap_to_show(policy_of: Callable[..., Policy]) -> None:
    """There is nowhere to pay; a first bound on its price is looser still."""
    still = {name: ORDER[name] for name in ORDER.keys() - {"assets", "destinations"}}
    (found,) = compare.compare(policy_of(still, worst_price=None), policy_of(still))
    assert (found.direction, found.witness) == (Direction.LOOSER, None)


@pytest.mark.parametrize("name", REFUSED)
def test_another_swap_is_refused(name: str, policy_of: Callable[..., Policy]) -> None:
    """Another receiver, token, amount or time is refused with its reason."""
    message, codes = REFUSED[name]
    assert _codes(_decided(policy_of(ORDER), _ask("Order", **message))) == codes


def test_an_unknown_token_is_named(policy_of: Callable[..., Policy]) -> None:
    """The reason has its CAIP-19 identifier, which a policy would have to define."""
    bought = _ask("Order", buyToken="0x" + "22" * 20)
    reason = _decided(policy_of(ORDER), bought).reasons[0]
    detail = f"no asset eip155:1/erc20:0x{'22' * 20}"
    assert reason == Reason(Code.ASSET_UNKNOWN, "assets", detail)


def test_a_price_never_exceeds_what_can_be_compared(policy_of: Callable[..., Policy]) -> None:
    """One base unit for everything there is has the highest price that there is."""
    facts, _ = reading.read(
        policy_of(ORDER), _ask("Order", sellAmount="1", buyAmount=str(2**256 - 1)).facts
    )
    assert facts.price is not None
    assert int(facts.price.replace(".", "")) <= MAX_AMOUNT


def test_freezing_what_is_bought_stops_a_swap(policy_of: Callable[..., Policy]) -> None:
    """A frozen asset is neither sold nor bought."""
    for name in ASSETS:
        assert frozen(frozenset({Freeze("asset", name)}), _ask("Order"), policy_of(ORDER))


LIFETIMES = {
    "an hour": (None, 3_600, []),
    "a second more": (None, 3_601, [Code.EXPIRY_NOT_ALLOWED]),
    "for ever": (None, 2**255, [Code.EXPIRY_NOT_ALLOWED]),
    "a day, granted": ("24h", 86_400, []),
    "a second more than granted": ("24h", 86_401, [Code.EXPIRY_NOT_ALLOWED]),
    "less, granted": ("5m", 301, [Code.EXPIRY_NOT_ALLOWED]),
}


@pytest.mark.parametrize("name", LIFETIMES)
def test_a_permit_is_not_good_for_longer_than_granted(
    name: str, policy_of: Callable[..., Policy]
) -> None:
    """An hour where the grant says nothing, else what it says, to the second."""
    lifetime, seconds, codes = LIFETIMES[name]
    ask = _ask("Permit", deadline=str(NOW // 1000 + seconds))
    assert _codes(_decided(policy_of(PERMIT, lifetime=lifetime), ask)) == codes


def test_other_formats_may_expire_whenever_they_like(compiled: Any, tree: Tree) -> None:
    """Only formats whose signatures anybody may use have a bound of their own."""
    (grant,) = compiled(tree).keys["pay"].grants
    assert grant.lifetime_ms is None


def test_typed_data_needs_its_chains_and_no_gas(policy_of: Callable[..., Policy]) -> None:
    """A grant must list chains, but nothing is paid for gas, so no coin needs a limit."""
    with pytest.raises(PolicyError, match="is required for an action on Ethereum chains"):
        policy_of(PERMIT, chain_ids=None)
    assert "ETH@eip155:1" not in policy_of(PERMIT).keys["k"].limits


CHANGES: dict[str, tuple[Tree, Tree, list[Direction]]] = {
    "longer": ({}, {"lifetime": "2h"}, [Direction.LOOSER]),
    "shorter": ({"lifetime": "2h"}, {}, [Direction.TIGHTER]),
    "the same": ({"lifetime": "1h"}, {}, []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_longer_life_is_looser(name: str, policy_of: Callable[..., Policy]) -> None:
    """Lifetimes compare as they are, whether written or not."""
    before, after, expected = CHANGES[name]
    found = compare.compare(policy_of(PERMIT, **before), policy_of(PERMIT, **after))
    assert [change.direction for change in found] == expected
    assert all(change.witness for change in found if change.direction is Direction.LOOSER)


def test_any_time_is_longer_than_any_bound(compiled: Any, tree: Tree) -> None:
    """Where the format sets none, a bound is tighter than none, and its end looser."""
    (grant,) = tree["keys"]["pay"]["grants"]
    before = compiled(tree)
    grant["lifetime"] = "1h"
    after = compiled(tree)
    assert [item.direction for item in compare.compare(before, after)] == [Direction.TIGHTER]
    (change,) = compare.compare(after, before)
    assert change.direction is Direction.LOOSER
    assert change.witness is not None


def test_another_meaning_of_what_is_bought_is_looser(policy_of: Callable[..., Policy]) -> None:
    """Fewer decimals would make a low price look high; a first definition lets orders in."""
    policy = policy_of(ORDER)
    weth = ASSETS["WETH@eip155:1"]
    fewer = policy_of(ORDER, ASSETS | {"WETH@eip155:1": weth | {"decimals": 6}})
    none = policy_of(ORDER, {"USDC@eip155:1": ASSETS["USDC@eip155:1"]})
    assert compare.is_looser(compare.compare(policy, fewer))
    assert compare.is_looser(compare.compare(none, policy))
    assert not compare.is_looser(compare.compare(policy, none))
    told = {
        change.description
        for pair in ((policy, fewer), (none, policy), (policy, none))
        for change in compare.compare(*pair)
        if change.path == 'assets."WETH@eip155:1"'
    }
    weth_is = f"{policy.assets['WETH@eip155:1'].ref} with"
    assert told == {
        f"of a swap, is {weth_is} 6 decimals; it was {weth_is} 18 decimals",
        f"of a swap, is {weth_is} 18 decimals; it was undefined",
        f"of a swap, is undefined; it was {weth_is} 18 decimals",
    }


def test_a_swap_in_words_of_facts_needs_no_price() -> None:
    """What is no swap is read as it is."""
    facts = Facts("intent.transfer", (Transfer("USD", 1, "acme"),))
    policy = document.load(
        'schema = 1\n[assets.USD]\ndecimals = 2\n[keys.k]\nalgorithm = "ed25519"\n'
        'payloads = ["intent"]\n[[keys.k.grants]]\nid = "g"\ncallers = ["a.example"]\n'
        'action = "intent.transfer"\nassets = ["USD"]\ndestinations = ["acme"]\n'
        '[[keys.k.limits]]\nasset = "USD"\nper_request = "1"\n'
        'windows = [{ span = "1h", total = "1" }]\n',
        FORMATS,
    )
    assert reading.read(policy, facts) == (facts, [])
