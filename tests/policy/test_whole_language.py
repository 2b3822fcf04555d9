"""What must hold for every policy of the whole language: order, and what only tightens."""

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy.engine import decide
from policy.problems import PolicyError
from policy.rules import Policy
from tests.policy import generated
from tests.policy.generated import Case

REQUESTS = 30  # for each policy

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]

LISTS = {"callers", "destinations", "sources", "sides", "networks", "approvers"}
ADDED: list[Tree] = [
    {"per": per, "span": "2h", "total": "3"} for per in ("key", "caller", "destination")
]
seeds = st.integers(0, 2**32)


def _policy(compiled: Compile, tree: Tree) -> Policy:
    try:
        return compiled(tree)
    except PolicyError:  # a quorum that nobody can reach
        assume(condition=False)
        raise


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """Return every list and table in the tree, inner ones first, with its field's name."""
    items = tree.items() if isinstance(tree, dict) else (("", item) for item in tree)
    for name, node in items:
        if isinstance(node, dict | list):
            for inner_name, inner in _nodes(node):
                yield inner_name or name, inner
            yield name, node


def _shuffled(tree: Tree, random: Random) -> Tree:
    """Write every list and every table in another order."""
    for _, node in [*_nodes(tree), ("", tree)]:
        if isinstance(node, list):
            random.shuffle(node)
        else:
            items = list(node.items())
            random.shuffle(items)
            node.clear()
            node.update(items)
    return tree


@settings(max_examples=60, deadline=None)
@given(generated.documents(), seeds)
def test_no_order_matters(compiled: Compile, tree: Tree, seed: int) -> None:
    """Tables, rules and lists may be written in any order: each decision is the same in full."""
    tree["keys"]["other"] = copy.deepcopy(tree["keys"]["k"])
    limits = [{"asset": "USD", "windows": [{"span": "1d", "total": "9"}]}]
    tree["groups"] = {"g": {"keys": ["k", "other"], "limits": limits}}
    first = _policy(compiled, tree)
    again = _policy(compiled, _shuffled(copy.deepcopy(tree), Random(seed)))
    for case in generated.cases(seed, REQUESTS):
        assert _decide(first, case) == _decide(again, case)


@settings(max_examples=150, deadline=None)
@given(generated.documents(), st.data(), seeds)
def test_less_to_grant_and_more_to_hold_never_allows_more(
    compiled: Compile, tree: Tree, data: st.DataObject, seed: int
) -> None:
    """One grant or one of a list less, one window or group more: no refusal is turned."""
    tighter = copy.deepcopy(tree)
    data.draw(st.sampled_from([_remove, _hold, _share]))(data.draw, tighter)
    before, after = _policy(compiled, tree), _policy(compiled, tighter)
    for case in generated.cases(seed, REQUESTS):
        assert _decide(before, case).allowed or not _decide(after, case).allowed


def _remove(draw: Callable[[Any], Any], tree: Tree) -> None:
    key = tree["keys"]["k"]
    found = [node for name, node in _nodes(key) if name in LISTS and isinstance(node, list)]
    items = draw(st.sampled_from([*found, key["grants"]]))
    assume(len(items) > 1)
    items.remove(draw(st.sampled_from(items)))


def _hold(draw: Callable[[Any], Any], tree: Tree) -> None:
    limit = draw(st.sampled_from(tree["keys"]["k"]["limits"]))
    limit["windows"].append(draw(st.sampled_from(ADDED)))


def _share(draw: Callable[[Any], Any], tree: Tree) -> None:
    limits = [{"asset": "USD", "windows": [draw(st.sampled_from(ADDED))]}]
    tree["groups"] = {"g": {"keys": ["k"], "limits": limits}}


def _decide(policy: Policy, case: Case) -> Any:
    return decide(policy, case.ask, case.usage, case.now_ms, case.approved_by)
