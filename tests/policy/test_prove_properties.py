"""Answers about generated policies are those of the engine."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from policy.engine import decide
from policy.model import Counter, Used
from policy.problems import PolicyError
from policy.prove import Disproven, Proven, load, prove
from policy.prove.answer import Step
from policy.prove.single import breaks
from policy.rules import Policy
from policy.windows import Window
from tests.policy import generated
from tests.policy.generated import CALLERS, SPANS

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]
Write = Callable[[Tree], str]

_amounts = st.integers(0, 9).map(str)
_scopes = st.fixed_dictionaries(
    {"asset": st.sampled_from(generated.ASSETS)}, optional={"callers": generated.some(CALLERS)}
)
_single = st.one_of(
    st.fixed_dictionaries({"per_request": _amounts}),
    st.fixed_dictionaries({"destinations": generated.some(generated.PLACES)}),
    st.just({"never": True}),
    st.fixed_dictionaries(
        {"approvals": st.fixed_dictionaries({"above": _amounts, "quorum": st.integers(1, 2)})}
    ),
)
_interval = st.fixed_dictionaries(
    {"span": st.sampled_from([*SPANS]), "total": st.integers(0, 20).map(str)}
)


def _question(compiled: Compile, write: Write, tree: Tree, claim: Tree) -> tuple[Policy, Any]:
    try:
        policy = compiled(tree)
    except PolicyError:  # a quorum that nobody can reach
        assume(condition=False)
        raise
    (question,) = load(write({"questions": [{"name": "q"} | claim]}), policy)
    return policy, question


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(generated.documents(), _scopes, _single, st.integers(0, 2**32))
def test_no_request_breaks_what_is_proven(
    compiled: Compile, write: Write, tree: Tree, scope: Tree, claim: Tree, seed: int
) -> None:
    """Proven: no generated request that is allowed breaks it. Disproven: its own request does."""
    policy, question = _question(compiled, write, tree, scope | claim)
    answer = prove(policy, question)
    if isinstance(answer, Disproven):
        (step,) = answer.steps
        assert breaks(policy, question, step)
        nothing = generated.History([], step.at_ms)
        assert decide(policy, step.ask, nothing, step.at_ms, step.approved_by).allowed
    if isinstance(answer, Proven):
        for case in generated.cases(seed, 200):
            step = Step(case.ask, case.now_ms, case.approved_by)
            if breaks(policy, question, step):
                allowed = decide(policy, case.ask, case.usage, case.now_ms, case.approved_by)
                assert not allowed.allowed


class _Spent:
    """Real windows, charged with what is allowed."""

    def __init__(self) -> None:
        self.windows: dict[Counter, Window] = {}
        self.now = 0

    def used(self, counter: Counter) -> Used:
        """Return what the window holds now."""
        return self.windows.setdefault(counter, Window(counter.span_ms)).used(self.now)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(generated.documents(), _scopes, _interval, st.integers(0, 2**32))
def test_no_stream_breaks_what_is_proven_of_an_interval(
    compiled: Compile, write: Write, tree: Tree, scope: Tree, window: Tree, seed: int
) -> None:
    """Whatever stream of requests comes, no interval of the span sees more leave."""
    policy, question = _question(compiled, write, tree, scope | {"window": window})
    answer = prove(policy, question)
    spent, events, asset = _Spent(), list[tuple[int, int]](), scope["asset"]
    steps = [Step(case.ask, case.now_ms, case.approved_by) for case in generated.cases(seed, 150)]
    if isinstance(answer, Disproven):
        steps = list(answer.steps)
    for step in sorted(steps, key=lambda step: step.at_ms):
        spent.now = step.at_ms
        decision = decide(policy, step.ask, spent, step.at_ms, step.approved_by)
        assert decision.allowed or not isinstance(answer, Disproven)
        for charge in decision.charges:
            spent.windows[charge.counter].charge(step.at_ms, charge.amount)
        if decision.allowed and step.ask.caller in scope.get("callers", CALLERS):
            items = (item for item in step.ask.facts.transfers if item.asset == asset)
            events.append((step.at_ms, sum(item.amount for item in items)))
    span = SPANS[window["span"]]
    most = max((sum(a for t, a in events if at <= t < at + span) for at, _ in events), default=0)
    assert (most > int(window["total"])) or not isinstance(answer, Disproven)
    assert (most <= int(window["total"])) or not isinstance(answer, Proven)


def test_the_generated_questions_are_worth_asking(compiled: Compile, write: Write) -> None:
    """There is much of both answers, and little of neither."""
    seen = {"Proven": 0, "Disproven": 0, "NotProven": 0}

    @settings(max_examples=60, derandomize=True, database=None, deadline=None)
    @given(generated.documents(), _scopes, st.one_of(_single, st.builds(dict, window=_interval)))
    def collect(tree: Tree, scope: Tree, claim: Tree) -> None:
        policy, question = _question(compiled, write, tree, scope | claim)
        seen[type(prove(policy, question)).__name__] += 1

    collect()
    assert seen["Proven"] >= 10
    assert seen["Disproven"] >= 10
    assert seen["NotProven"] <= 10
