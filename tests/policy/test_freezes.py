"""Freezes: what stops, and that asking for one always names something real."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from policy.freezes import Freeze, frozen, is_named, parse, resolve
from policy.freezes import similar as find_similar
from policy.model import Ask, Facts, Role, Transfer
from policy.reasons import Code, Reason
from policy.rules import Policy

OMNIBUS = "0x1111111111111111111111111111111111111111"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ASK = Ask(
    "wd",
    "ethereum.transaction",
    "spiffe://firm.example/wallet",
    Facts(
        "erc20.transfer",
        (
            Transfer(f"eip155:1/erc20:{USDC}", 1, OMNIBUS),
            Transfer("eip155:1/slip44:60", 1, None, Role.FEE),
            Transfer("eip155:1/erc20:0x22", 1, OMNIBUS),
        ),
    ),
)


@pytest.fixture
def policy(tree: dict[str, Any], compiled: Callable[[dict[str, Any]], Policy]) -> Policy:
    """The document, with a group of keys."""
    limits = [{"asset": "ETH@eip155:1", "windows": [{"span": "1d", "total": "1"}]}]
    tree["groups"] = {"desk": {"keys": ["wd"], "limits": limits}}
    return compiled(tree)


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("key", "wd"),
        ("caller", "spiffe://firm.example/wallet"),
        ("asset", "USDC@eip155:1"),
        ("asset", "ETH@eip155:1"),  # which pays for the gas
        ("destination", OMNIBUS),
        ("group", "desk"),
        ("all", ""),
    ],
)
def test_each_scope_stops_the_request(scope: str, name: str, policy: Policy) -> None:
    """A freeze of anything that the request touches refuses it, and says which."""
    (reason,) = frozen(frozenset({(scope, name)}), ASK, policy)
    assert reason == Reason(Code.FROZEN, f"freezes.{scope}", name or "everything is frozen")


@pytest.mark.parametrize(
    "freeze",
    [("key", "pay"), ("caller", "wd"), ("asset", "USD"), ("destination", USDC), ("key", "")],
)
def test_other_freezes_do_not(freeze: tuple[str, str], policy: Policy) -> None:
    """What the request does not touch may be frozen."""
    assert frozen(frozenset({freeze}), ASK, policy) == ()


def test_all_freezes_that_hold_are_named_in_order(policy: Policy) -> None:
    """The audit log sees every one of them."""
    freezes = frozenset({Freeze("key", "wd"), Freeze("all"), Freeze("asset", "USDC@eip155:1")})
    rules = [reason.rule for reason in frozen(freezes, ASK, policy)]
    assert rules == ["freezes.all", "freezes.asset", "freezes.key"]


def test_without_freezes_nothing_is_frozen(policy: Policy) -> None:
    """The usual case."""
    assert frozen(frozenset(), ASK, policy) == ()


@pytest.mark.parametrize(
    ("scope", "name", "freeze"),
    [
        ("all", "", ("all", "")),
        ("key", "wd-usdc", ("key", "wd-usdc")),
        ("caller", "wallet.firm.example", ("caller", "wallet.firm.example")),
        ("asset", "USDC@eip155:1", ("asset", "USDC@eip155:1")),
        ("destination", "acme", ("destination", "acme")),
        ("destination", USDC.lower(), ("destination", USDC)),
    ],
)
def test_a_freeze_is_spelt_as_requests_are(scope: str, name: str, freeze: tuple[str, str]) -> None:
    """An Ethereum address in any case becomes the one that decoders give."""
    assert parse(scope, name) == freeze


@pytest.mark.parametrize(
    ("scope", "name", "message"),
    [
        ("keys", "wd", "is no scope; one of key, caller"),
        ("all", "wd", "takes no name"),
        ("key", "", "is not a name"),
        ("caller", "spiffe://firm.example/*", "wildcard"),
        ("asset", "eip155:1/slip44:60", "is not an asset"),
        ("destination", "0x12", "is not an Ethereum address"),
    ],
)
def test_a_freeze_of_nothing_is_refused(scope: str, name: str, message: str) -> None:
    """A freeze that could match no request would be a false comfort."""
    with pytest.raises(ValueError, match=message):
        parse(scope, name)


@pytest.mark.parametrize(
    ("scope", "name", "similar"),
    [
        ("key", "wdd", ["wd"]),
        ("caller", "spiffe://firm.example/walet", ["spiffe://firm.example/wallet"]),
        ("asset", "USDC@eip155:10", ["USDC@eip155:1"]),
        ("destination", "acne", ["acme"]),
        ("group", "desks", ["desk"]),
        ("group", "nothing-like-it", []),
    ],
)
def test_what_a_policy_does_not_name(
    policy: Policy, scope: str, name: str, similar: list[str]
) -> None:
    """A name that is in no policy is told apart, with those that it may stand for."""
    freeze = Freeze(scope, name)
    assert not is_named(freeze, policy)
    assert find_similar(freeze, policy)[: len(similar) or None] == similar
    assert all(is_named(Freeze(scope, found), policy) for found in similar)


def test_everything_is_named_always(policy: Policy) -> None:
    """A freeze of all needs no name."""
    assert is_named(Freeze("all"), policy)


def test_an_asset_goes_by_its_identifier_too(policy: Policy) -> None:
    """An asset may be frozen by what decoders call it."""
    assert resolve(Freeze("asset", f"eip155:1/erc20:{USDC}"), policy).name == "USDC@eip155:1"
    assert resolve(Freeze("key", "wd"), policy) == Freeze("key", "wd")
    assert resolve(Freeze("asset", "GBP"), policy) == Freeze("asset", "GBP")


def test_a_request_of_an_unknown_key_touches_the_rest(policy: Policy) -> None:
    """It has no groups; who asks for it can be frozen all the same."""
    ask = replace(ASK, key="gone")
    for freeze in (Freeze("key", "gone"), Freeze("caller", ASK.caller)):
        assert [item.code for item in frozen(frozenset({freeze}), ask, policy)] == [Code.FROZEN]


def test_only_an_asset_has_another_name(policy: Policy) -> None:
    """What is no asset keeps its name, though an asset be known by it."""
    name = f"eip155:1/erc20:{USDC}"
    assert resolve(Freeze("asset", name), policy).name == "USDC@eip155:1"
    assert resolve(Freeze("caller", name), policy) == Freeze("caller", name)
