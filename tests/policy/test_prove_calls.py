"""Answers about generated policies with pinned calls are those about real payloads."""

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.document import load as load_policy
from policy.engine import Unused, decide, read
from policy.fields import checksummed
from policy.model import Ask, Counter, Used
from policy.payloads import FORMATS, decode
from policy.prove import Disproven, Proven, load, prove
from policy.prove.answer import Step
from policy.prove.questions import Question
from policy.prove.single import breaks
from policy.rules import Policy
from policy.windows import Window
from tests.policy import whole_calls
from tests.policy.payloads import examples, typed_examples
from tests.policy.whole_calls import CONTRACT, ETH, HOLDER

Tree = dict[str, Any]
Write = Callable[[Tree], str]

TRANSACTION, TYPED = "ethereum.transaction", "ethereum.typed-data"
USDC, TOKEN = "USDC@eip155:1", checksummed(typed_examples.USDC)
SAFE = checksummed(typed_examples.SAFE)
NOW = 1_795_435_200_000  # Monday 2026-11-23 12:00 UTC
CLAIMS: tuple[Tree, ...] = (
    {"never": True},
    {"per_request": "1"},
    {"per_request": "0.000000000000000001"},
    {"destinations": [HOLDER]},
    {"destinations": [CONTRACT]},
)
WINDOWS: tuple[Tree, ...] = ({"total": "3"}, {"total": "7"}, {"count": 2}, {"count": 4})


def _document(random: Random) -> Tree:
    """Return a key of an owner of a Safe, its grants and its limits."""
    formats = random.choice(([TRANSACTION], [TYPED], [TRANSACTION, TYPED]))
    limits = [_limit(random, asset) for asset in (ETH, USDC)]
    key = {
        "algorithm": "ecdsa-secp256k1",
        "payloads": formats,
        "grants": [_grant(random) | {"id": f"g{n}"} for n in range(random.randint(1, 2))],
        "limits": limits,
    }
    contracts = whole_calls.contracts(random)
    put = contracts["vault"]["calls"]["put"]
    put["asset"] = random.choice((ETH, USDC))
    assets = {USDC: {"decimals": 18, "contract": TOKEN}}
    return {"schema": 1, "assets": assets, "contracts": contracts, "keys": {"k": key}}


def _grant(random: Random) -> Tree:
    grant = whole_calls.grant(random) | {"callers": ["a.example"]}
    if "assets" in grant and random.random() < 0.5:
        grant["assets"] = [ETH, USDC]
    if random.random() < 0.4:
        grant["sources"] = [SAFE]
    return grant


def _limit(random: Random, asset: str) -> Tree:
    per = random.choice(("key", "caller", "destination"))
    total = str(random.randint(1, 8))
    windows: list[Tree] = [{"span": "1h", "total": total, "per": per}]
    if random.random() < 0.3:
        windows.append({"span": "1h", "count": random.randint(1, 3)} | {"per": "caller"})
    windows = windows[: 1 if per == "caller" else None]
    return {"asset": asset, "per_request": str(random.randint(1, 4)), "windows": windows}


def _made(random: Random, write: Write, claim: Tree) -> tuple[Policy, Question]:
    policy = load_policy(write(_document(random)), FORMATS)
    asset = random.choice((ETH, ETH, USDC))
    (question,) = load(write({"questions": [{"name": "q", "asset": asset} | claim]}), policy)
    return policy, question


def _steps(random: Random, count: int) -> Iterator[Step]:
    """Yield calls as their decoders read them."""
    for _ in range(count):
        made = whole_calls.facts(random, random.choice(whole_calls.ACTIONS)).call
        assert made is not None
        data, fee = bytes.fromhex(made.data), random.choice((0, 1, 10**18))
        to = bytes.fromhex(CONTRACT[2:])
        tag, payload = (
            TRANSACTION,
            examples.dynamic_fee(
                to=to, value=made.value, data=data, gas_limit=1, max_fee=fee, priority_fee=0
            ),
        )
        if random.random() < 0.4:
            said = {"to": CONTRACT, "value": str(made.value), "data": f"0x{made.data}"}
            tag = TYPED
            payload = typed_examples.written(typed_examples.document("SafeTx", **said))
        facts = decode(tag, payload).facts
        yield Step(Ask("k", tag, "a.example", facts), NOW, payload=payload)


def _is_real(step: Step) -> bool:
    payload = step.payload
    return payload is not None and decode(step.ask.format, payload).facts == step.ask.facts


def _allows(policy: Policy, step: Step) -> bool:
    return decide(policy, step.ask, Unused(), step.at_ms, step.approved_by).allowed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from(CLAIMS))
def test_a_claim_is_broken_by_a_payload_or_by_none(write: Write, seed: int, claim: Tree) -> None:
    """Disproven: by a call that its decoder reads. Proven: no generated call breaks it."""
    random = Random(seed)
    policy, question = _made(random, write, claim)
    answer = prove(policy, question)
    if isinstance(answer, Disproven):
        (step,) = answer.steps
        assert _is_real(step)
        assert _allows(policy, step)
        assert breaks(policy, question, step)
    for step in _steps(random, 60):
        broken = _allows(policy, step) and breaks(policy, question, step)
        assert not (broken and isinstance(answer, Proven))


class _Spent:
    """Real windows, charged with what is allowed."""

    def __init__(self) -> None:
        self.windows: dict[Counter, Window] = {}

    def used(self, counter: Counter) -> Used:
        """Return what the window holds now."""
        return self.windows.setdefault(counter, Window(counter.span_ms)).used(NOW)


def _spent(policy: Policy, question: Question, steps: Iterable[Step], *, all_: bool) -> list[int]:
    """Return how much of the asset moves in each request that is allowed after the others."""
    asset, spent, amounts = question.asset or "", _Spent(), list[int]()
    for step in steps:
        decision = decide(policy, step.ask, spent, NOW, step.approved_by)
        assert decision.allowed or not all_
        for charge in decision.charges:
            spent.windows[charge.counter].charge(NOW, charge.amount, charge.requests)
        moved = read(policy, step.ask, NOW, step.approved_by)[0].moved
        if decision.allowed and asset in moved:
            amounts.append(moved[asset])
    return amounts


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from(WINDOWS))
def test_an_interval_is_overspent_by_payloads_or_by_none(
    write: Write, seed: int, window: Tree
) -> None:
    """Disproven: by calls that are decoded. Proven: no stream of calls takes more."""
    random = Random(seed)
    policy, question = _made(random, write, {"window": {"span": "1h"} | window})
    answer = prove(policy, question)
    steps: Iterable[Step] = _steps(random, 60)
    if isinstance(answer, Disproven):
        assert all(map(_is_real, answer.steps))
        assert {step.at_ms for step in answer.steps} <= {answer.steps[0].at_ms}
        steps = answer.steps
    amounts = _spent(policy, question, steps, all_=isinstance(answer, Disproven))
    sum_, most = sum(amounts), int(window.get("total", 0)) * 10**18
    if "count" in window:
        sum_, most = len(amounts), window["count"]
    assert sum_ > most or not isinstance(answer, Disproven)
    assert sum_ <= most or not isinstance(answer, Proven)


def test_the_generated_questions_are_worth_asking(write: Write) -> None:
    """Of both answers there are many, and of neither few; calls that break a claim are made."""
    seen = {"Proven": 0, "Disproven": 0, "NotProven": 0}
    broken, random = 0, Random(7)
    for claim in CLAIMS * 8:
        policy, question = _made(random, write, claim)
        seen[type(prove(policy, question)).__name__] += 1
        steps = [step for step in _steps(random, 20) if _allows(policy, step)]
        broken += any(breaks(policy, question, step) for step in steps)
    assert seen["Proven"] >= 8
    assert seen["Disproven"] >= 8
    assert seen["NotProven"] == 0
    assert broken >= 5
