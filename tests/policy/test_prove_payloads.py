"""Counterexamples are payloads: what a decoder reads in them, the engine allows."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.document import load as load_policy
from policy.engine import Unused, decide
from policy.payloads import FORMATS, decode
from policy.prove import Answer, Disproven, NotProven, Proven, load, prove
from policy.prove.answer import Step
from policy.prove.single import breaks
from policy.rules import Policy

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

    def made(call: Tree, *, formats: tuple[str, ...] = ("ethereum.transaction",), **grant: Any) -> Policy:
        said = {
            "id": "g",
            "callers": ["a.example"],
            "action": "call.vault.put",
            "chain_ids": [1],
            "assets": [USDC, ETH],
            "destinations": [CONTRACT, HOLDER],
        }
        hour = {"span": "1h", "total": "9"}
        key = {
            "algorithm": "ecdsa-secp256k1",
            "payloads": [*formats],
            "grants": [{name: value for name, value in (said | grant).items() if value}],
            "limits": [{"asset": name, "per_request": "5", "windows": [hour]} for name in (USDC, ETH)],
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
