"""A comparison never calls tighter what some request proves to be looser."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy.compare import Direction, compare, is_looser
from policy.engine import decide
from policy.problems import PolicyError
from policy.rules import Policy
from tests.policy import generated
from tests.policy.generated import Case

PAIRS = int(os.environ.get("SIGNGATE_COMPARE_PAIRS", "150"))
REQUESTS = 100  # for each pair

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]
Trees = tuple[Tree, Tree]

seeds = st.integers(0, 2**32)


def _policies(compiled: Compile, trees: Trees) -> tuple[Policy, Policy]:
    try:
        return compiled(trees[0]), compiled(trees[1])
    except PolicyError:  # a quorum that nobody can reach
        assume(condition=False)
        raise


def _allows(policy: Policy, case: Case) -> bool:
    return decide(policy, case.ask, case.usage, case.now_ms, case.approved_by).allowed


@settings(max_examples=PAIRS, deadline=None)
@given(generated.pairs(), seeds)
def test_no_request_disproves_a_comparison(compiled: Compile, trees: Trees, seed: int) -> None:
    """Where nothing is looser, whatever the new policy allows the old one allows."""
    old, new = _policies(compiled, trees)
    if not is_looser(compare(old, new)):
        for case in generated.cases(seed, REQUESTS):
            assert _allows(old, case) or not _allows(new, case)


@settings(max_examples=PAIRS, deadline=None)
@given(generated.pairs())
def test_each_witness_is_confirmed(compiled: Compile, trees: Trees) -> None:
    """What is shown as a proof is allowed by the new policy and denied by the old one."""
    old, new = _policies(compiled, trees)
    for change in compare(old, new):
        item = change.witness
        assert change.direction is Direction.LOOSER or item is None
        if item is not None:
            assert decide(new, item.ask, item, item.at_ms, item.approved_by).allowed
            assert not decide(old, item.ask, item, item.at_ms, item.approved_by).allowed


def test_the_generated_pairs_are_worth_comparing(compiled: Compile) -> None:
    """Some pairs are looser and some not, most loosenings are proven, some requests allowed."""
    seen = {"looser": 0, "not looser": 0, "proven": 0, "allowed": 0}

    @settings(max_examples=150, derandomize=True, database=None, deadline=None)
    @given(generated.pairs(), seeds)
    def collect(trees: Trees, seed: int) -> None:
        old, new = _policies(compiled, trees)
        changes = compare(old, new)
        seen["looser" if is_looser(changes) else "not looser"] += 1
        seen["proven"] += any(change.witness for change in changes)
        seen["allowed"] += any(_allows(new, case) for case in generated.cases(seed, REQUESTS))

    collect()
    assert seen["looser"] >= 30
    assert seen["not looser"] >= 30
    assert seen["proven"] >= seen["looser"] * 0.8
    assert seen["allowed"] >= 60
