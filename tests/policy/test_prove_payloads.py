"""Counterexamples are payloads: what a decoder reads in them, the engine allows."""

from collections.abc import Callable
from typing import Any

import pytest

from policy import assets
from policy.assets import Asset
from policy.document import load as load_policy
from policy.engine import Unused, decide
from policy.model import Ask, Facts, Role
from policy.payloads import FORMATS, decode
from policy.prove import Answer, Disproven, NotProven, Proven, load, prove, shapes
from policy.prove.answer import Step
from policy.prove.payloads import restated
from policy.prove.request import Model
from policy.prove.single import breaks
from policy.rules import Policy
from tests.policy.payloads import examples

Tree = dict[str, Any]
Write = Callable[[Tree], str]

CONTRACT = "0x3333333333333333333333333333333333333333"
HOLDER = "0x1111111111111111111111111111111111111111"
SAFE = "0x5a5A5a5a5A5a5a5a5a5A5a5A5A5a5a5A5A5A5A5A"
TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
USDC, ETH = "USDC@eip155:1", "ETH@eip155:1"
PUT = {
    "signature": "put(uint256 sum, address to, bytes4 tag)",
    "amount": "sum",
    "asset": USDC,
    "destination": "to",
    "fixed": {"tag": "0x00000001"},
}


@pytest.fixture(scope="module")
def calling(write: Write) -> Callable[..., Policy]:
    """Return a policy that grants a pinned call, or another action."""

    def made(
        call: Tree,
        *,
        formats: tuple[str, ...] = ("ethereum.transaction",),
        per: str = "key",
        beside: Tree | None = None,
        **grant: Any,
    ) -> Policy:
        said = {
            "id": "g",
            "callers": ["a.example"],
            "action": "call.vault.put",
            "chain_ids": [1],
            "assets": [USDC, ETH],
            "destinations": [CONTRACT, HOLDER],
        }
        hour = {"span": "1h", "total": "9" if per == "key" else "3", "per": per}
        key = {
            "algorithm": "ecdsa-secp256k1",
            "payloads": [*formats],
            "grants": [
                {name: value for name, value in (said | changes).items() if value}
                for changes in ([grant, beside | {"id": "h"}] if beside else [grant])
            ],
            "limits": [
                {"asset": name, "per_request": "5", "windows": [hour]} for name in (USDC, ETH)
            ],
        }
        vault = {"address": CONTRACT, "chain_id": 1, "calls": {"put": call}}
        assets = {USDC: {"decimals": 6, "contract": TOKEN}}
        tree = {"schema": 1, "assets": assets, "contracts": {"vault": vault}, "keys": {"k": key}}
        return load_policy(write(tree), FORMATS)

    return made


@pytest.fixture(scope="module")
def asked(write: Write) -> Callable[..., Answer]:
    """Ask one question about a policy."""

    def answered(policy: Policy, **claim: object) -> Answer:
        (question,) = load(write({"questions": [{"name": "q"} | claim]}), policy)
        answer = prove(policy, question)
        if isinstance(answer, Disproven):
            for step in answer.steps:
                is_real(step)
                assert question.window or breaks(policy, question, step)
                allowed = decide(policy, step.ask, Unused(), step.at_ms, step.approved_by)
                assert question.window or allowed.allowed
        return answer

    return answered


def is_real(step: Step) -> None:
    """The request is what its payload says."""
    assert step.payload is not None
    assert decode(step.ask.format, step.payload).facts == step.ask.facts


def test_a_call_pays_nothing_but_what_it_is_pinned_to(calling: Any, asked: Any) -> None:
    """A grant that lists another asset too lets no more through: gas is all that is paid in it."""
    policy = calling(PUT)
    assert asked(policy, asset=ETH, destinations=[SAFE]) == Proven()
    assert isinstance(asked(policy, asset=ETH, never=True), Disproven)
    assert isinstance(asked(policy, asset=USDC, destinations=[SAFE]), Disproven)


WRAP = {"signature": "put(bytes4 tag)", "amount": "msg.value", "fixed": {"tag": "0x00000001"}}
ANY: Tree = {
    "signature": "put(uint24 sum, address token, address to, bool now)",
    "amount": "sum",
    "asset_from": "token",
    "destination": "to",
    "free": ["now"],
}
HOME = {"signature": "put(uint256 sum)", "amount": "sum", "asset": USDC, "role": "allowance"}
# Calls, what they can pay (an asset and to whom) and what they can't.
PINNED = [
    (PUT, {(USDC, CONTRACT), (USDC, HOLDER)}),
    (WRAP, {(ETH, CONTRACT)}),
    (ANY, {(USDC, CONTRACT), (USDC, HOLDER)}),
    (HOME, {(USDC, CONTRACT)}),
]
FROM_SAFE: Tree = {"formats": ("ethereum.typed-data",), "sources": [SAFE]}
FROM_EITHER: Tree = {"formats": ("ethereum.typed-data", "ethereum.transaction")}


@pytest.mark.parametrize("funds", [{}, FROM_SAFE, FROM_EITHER])
@pytest.mark.parametrize(("call", "pays"), PINNED)
def test_each_call_pays_what_and_whom_its_pin_says(
    calling: Any, asked: Any, call: Tree, pays: set[tuple[str, str]], funds: Tree
) -> None:
    """Whatever is granted beside is proven never to be paid; what is paid is a real call."""
    policy = calling(call, **funds)
    for asset in (USDC, ETH):
        for place, other in ((CONTRACT, HOLDER), (HOLDER, CONTRACT)):
            answer = asked(policy, asset=asset, destinations=[other])
            assert isinstance(answer, Disproven if (asset, place) in pays else Proven)


@pytest.mark.parametrize("call", [PUT, ANY | {"signature": ANY["signature"].replace("24", "32")}])
@pytest.mark.parametrize("funds", [{}, FROM_SAFE, FROM_EITHER])
def test_within_an_interval_calls_take_what_windows_leave(
    calling: Any, asked: Any, call: Tree, funds: Tree
) -> None:
    """Neither a base unit more nor less, in requests that are calls one after the other."""
    policy = calling(call, **funds)
    for claim, holds in (("9", True), ("8.999999", False)):
        answer = asked(policy, asset=USDC, window={"span": "1h", "total": claim})
        assert isinstance(answer, Proven if holds else Disproven)


@pytest.mark.parametrize("call", [PUT, {"signature": "put(bool now)", "fixed": {"now": "true"}}])
def test_the_gas_of_calls_is_a_counterexample_too(calling: Any, asked: Any, call: Tree) -> None:
    """What is not paid is burnt: by transactions, and by nothing that a Safe does."""
    assets = None if "amount" not in call else [USDC]
    places = assets and [HOLDER]
    policy = calling(call, assets=assets, destinations=places)
    assert isinstance(asked(policy, asset=ETH, per_request="4.9"), Disproven)
    assert isinstance(asked(policy, asset=ETH, window={"span": "1h", "total": "8"}), Disproven)
    assert asked(policy, asset=ETH, window={"span": "1h", "total": "9"}) == Proven()
    policy = calling(call, assets=assets, destinations=places, **FROM_SAFE)
    assert asked(policy, asset=ETH, per_request="0") == Proven()
    window = {"span": "1h", "total": "8"}
    assert isinstance(asked(policy, asset=ETH, window=window), NotProven)


def test_a_parameter_says_no_more_than_its_bits(calling: Any, asked: Any) -> None:
    """A larger amount than its type holds is never paid."""
    policy = calling(PUT | {"signature": str(PUT["signature"]).replace("256", "16")})
    assert asked(policy, asset=USDC, per_request="0.065535") == Proven()
    assert isinstance(asked(policy, asset=USDC, per_request="0.065534"), Disproven)


def test_one_call_pays_one_destination(calling: Any, asked: Any) -> None:
    """What each may get never adds up in one request."""
    for beside in (None, {"destinations": [HOLDER]}):
        policy = calling(PUT, per="destination", beside=beside)
        assert asked(policy, asset=USDC, per_request="3") == Proven()
        assert isinstance(asked(policy, asset=USDC, per_request="2.999999"), Disproven)


def test_where_one_solution_is_no_payload_another_is_found(calling: Any, asked: Any) -> None:
    """A Safe calls any contract but itself: neither a false example nor a false proof."""
    formats = {"formats": ("ethereum.typed-data",)}
    policy = calling(PUT, sources=[CONTRACT, SAFE], **formats)
    answer = asked(policy, asset=USDC, never=True)
    assert isinstance(answer, Disproven)
    assert answer.steps[0].ask.facts.source == SAFE
    policy = calling(PUT, sources=[CONTRACT], **formats)
    assert isinstance(asked(policy, asset=USDC, never=True), NotProven)


OTHERS = [
    ("native.transfer", ETH, {}),
    ("ethereum.blob", ETH, {}),
    ("ethereum.set-code", ETH, {}),
    ("erc20.transfer", USDC, {}),
    ("erc20.approve", USDC, {}),
    ("erc20.transferFrom", USDC, {"sources": [SAFE]}),
    ("safe.native.transfer", ETH, FROM_SAFE),
    ("safe.erc20.transfer", USDC, FROM_SAFE),
    ("safe.erc20.approve", USDC, FROM_SAFE),
]


@pytest.mark.parametrize(("action", "asset", "funds"), OTHERS)
def test_every_other_action_of_accounts_is_shown_as_a_payload(
    calling: Any, asked: Any, action: str, asset: str, funds: Tree
) -> None:
    """Coins are paid by transfers of coins and tokens by those of tokens, alone or in a row."""
    policy = calling(PUT, action=action, **funds)
    (other,) = {USDC, ETH} - {asset}
    assert asked(policy, asset=other, destinations=[SAFE]) == Proven()
    assert isinstance(asked(policy, asset=asset, destinations=[HOLDER]), Disproven)
    assert isinstance(asked(policy, asset=asset, per_request="4.9"), Disproven)
    assert isinstance(asked(policy, asset=asset, window={"span": "1h", "total": "8"}), Disproven)
    burns = asked(policy, asset=ETH, never=True)
    assert isinstance(burns, Proven if funds == FROM_SAFE and asset == USDC else Disproven)


PERMITS = [
    *(("permit2." + name, {}) for name in ("permit", "permitBatch", "transferFrom")),
    ("permit2.batchTransferFrom", {}),
    ("erc20.permit", {"sources": [SAFE]}),
    ("erc20.transferWithAuthorization", {"sources": [SAFE]}),
    ("erc20.receiveWithAuthorization", {"sources": [SAFE]}),
]


@pytest.mark.parametrize(("action", "funds"), PERMITS)
def test_permits_are_shown_as_typed_data(
    calling: Any, asked: Any, action: str, funds: Tree
) -> None:
    """They burn no gas, expire at once, and count as spent."""
    funds = funds | {"formats": ("ethereum.typed-data",), "action": action}
    policy = calling(PUT, **funds)
    assert isinstance(asked(policy, asset=USDC, destinations=[HOLDER]), Disproven)
    assert isinstance(asked(policy, asset=USDC, per_request="4.9"), Disproven)
    assert isinstance(asked(policy, asset=USDC, window={"span": "1h", "total": "8"}), Disproven)
    assert asked(calling(PUT, **funds, assets=[USDC]), asset=ETH, never=True) == Proven()


def test_a_grant_of_a_transfer_that_moves_nothing_allows_nothing(calling: Any, asked: Any) -> None:
    """A transfer always pays, be it nothing, and such a grant lets no payment pass."""
    policy = calling(PUT, action="native.transfer", assets=None, destinations=None)
    assert asked(policy, never=True) == Proven()
    answer = asked(policy, asset=ETH, window={"span": "1h", "total": "1"})
    assert isinstance(answer, NotProven)


def test_a_permit_of_nothing_is_no_payload(calling: Any) -> None:
    """A permit permits something: a solution without that is excluded."""
    policy = calling(PUT, formats=("ethereum.typed-data",), action="permit2.permit")
    ask = Ask("k", "ethereum.typed-data", "a.example", Facts("permit2.permit", ()))
    assert restated(policy, Step(ask, 1000)) is None


def test_the_search_for_a_counterexample_ends(calling: Any, write: Write) -> None:
    """Where nobody takes a solution there are many, and then no more."""
    callers = [f"c{number}.example" for number in range(40)]
    policy = calling(PUT, action="native.transfer", callers=callers)
    claim = {"name": "q", "asset": ETH, "per_request": "1"}
    (question,) = load(write({"questions": [claim]}), policy)
    model = Model(policy, policy.keys["k"], question)
    assert model.broken()
    assert len({step.ask.caller for step in model.requests()}) in range(15, 31)


def test_every_shape_holds_what_its_decoder_reads(calling: Any) -> None:
    """A proof is about payloads only if no payload is left out of the model."""
    key, seen = calling(PUT).keys["k"], set[str]()
    for tag, payloads in examples.VALID.items():
        for facts in (decode(tag, payload).facts for payload in payloads):
            shape = shapes.of(calling(PUT), key, facts.action)
            if shape is None:
                continue
            seen.add(facts.action)
            fees = [item for item in facts.transfers if item.role is Role.FEE]
            paid = [item for item in facts.transfers if item.role is not Role.FEE]
            assert bool(paid) == shape.moves
            assert len(paid) == 1 or not shape.single
            assert not fees or shape.gas[facts.source is None]
            assert facts.source is None or shapes.accounts([facts.source]) == [facts.source]
            assert all(getattr(facts, name) == said for name, said in shapes.UNSAID.items())
            for item in paid:
                asset = _asset(item.asset)
                assert shape.pays(asset, str(item.destination))
                assert shape.at(asset) == facts.chain_id
    assert seen >= {action for action, *_ in (*OTHERS, *PERMITS)}


def _asset(ref: str) -> Asset:
    """Return an asset of the chain, a token or its coin."""
    contract = ref.rpartition(":")[2] if "/erc20:" in ref else None
    return assets.define("X@" + ref.partition("/")[0], 18, contract)
