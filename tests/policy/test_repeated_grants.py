"""Grants with the same terms are read once, and nobody can tell."""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from policy.claims import MOST
from policy.problems import Problem
from policy.rules import Policy
from tests.policy.test_grant_problems import CASES as OF_GRANTS
from tests.policy.test_limit_problems import CASES as OF_LIMITS

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]
Edit = Callable[[Tree, str, object], None]
Problems = Callable[[Tree], tuple[Problem, ...]]

GRANT = "keys.wd.grants.0"
OTHER = "spiffe://firm.example/other"
APPROVAL = {"above": "1", "quorum": 2, "approvers": [OTHER, "spiffe://firm.example/third"]}
LATER = "2027-01-01T00:00:00Z"
MORE = {
    "date where none belongs": (f"{GRANT}.expires", date(2027, 1, 1)),
    "no name": (f"{GRANT}.id", None),
    "no callers": (f"{GRANT}.callers", None),
    "list of what is no grant": ("keys.wd.grants", [1]),
    "number as a caller": (f"{GRANT}.callers", [1]),
    "callers as text": (f"{GRANT}.callers", OTHER),
    "caller who would be left to approve": (f"{GRANT}.approval", APPROVAL | {"quorum": 3}),
}
EDITS = {name: edit for name, (edit, *_) in (OF_GRANTS | OF_LIMITS).items()} | MORE


def _behind_a_twin(tree: Tree, sound: Tree) -> Tree:
    """Put a sound key with the same grants before the others, so that they are known again."""
    return tree | {"keys": {"aa": copy.deepcopy(sound["keys"]["wd"])} | tree["keys"]}


@pytest.mark.parametrize("case", EDITS)
def test_what_is_wrong_with_a_grant_is_told_though_another_like_it_is_right(
    case: str, tree: Tree, edit: Edit, problems: Problems
) -> None:
    """A broken key has the same problems alone and behind one with the same grants."""
    sound = copy.deepcopy(tree)
    where, value = EDITS[case]
    edit(tree, where, value)
    alone = problems(tree)
    found = problems(_behind_a_twin(tree, sound))
    assert [item for item in found if not item.path.startswith("keys.aa")] == list(alone)


def test_every_grant_keeps_its_own_name_and_callers(tree: Tree, compiled: Compile) -> None:
    """Keys that repeat a grant become what each becomes in a document of its own."""
    original = tree["keys"]["wd"]
    original["grants"][0]["approval"] = APPROVAL
    for number in range(3):
        key = tree["keys"][f"k{number}"] = copy.deepcopy(original)
        key["grants"] += copy.deepcopy(key["grants"])
        key["grants"][1]["id"] = f"more-{number}"
        key["grants"][1]["callers"] = [f"spiffe://firm.example/{number}"]
    together = compiled(tree)
    for name, key in tree["keys"].items():
        alone = compiled(tree | {"keys": {name: key}})
        assert replace(together, sha256="", keys={}) == replace(alone, sha256="", keys={})
        assert together.keys[name] == alone.keys[name]


@pytest.mark.parametrize(
    ("where", "value", "path", "message"),
    [
        ("keys.wd.limits.0", None, "keys.wd.grants[0].assets[0]", "has no limit on this key"),
        (
            "keys.wd.payloads",
            ["intent"],
            "keys.wd.grants[0].action",
            "is an action of",
        ),
        (f"{GRANT}.callers", [OTHER], "keys.wd.grants[0].approval.quorum", "there are 1"),
    ],
)
def test_the_same_terms_mean_what_their_own_key_makes_of_them(
    where: str, value: object, path: str, message: str, tree: Tree, edit: Edit, problems: Problems
) -> None:
    """A grant that is right on one key is refused on another that lacks what it needs."""
    edit(tree, f"{GRANT}.approval", APPROVAL)
    sound = copy.deepcopy(tree)
    edit(tree, where, value)
    found = problems(_behind_a_twin(tree, sound))
    assert any(problem.path == path and message in problem.message for problem in found), found


def test_more_terms_than_are_known_again_are_still_read(tree: Tree, compiled: Compile) -> None:
    """Past the most that are kept each grant is read for itself, with its own terms."""
    grant = tree["keys"]["pay"]["grants"][0]
    tree["keys"]["pay"]["grants"] = [
        grant
        | {"id": f"g{number}", "expires": f"20{number % 90 + 10}-01-01T00:00:00Z"}
        | {"symbols": [f"S{number}"]}
        for number in range(MOST + 1)
    ]
    again = copy.deepcopy(tree["keys"]["pay"])
    policy = compiled(tree | {"keys": {"pay": tree["keys"]["pay"], "zz": again}})
    for key in policy.keys.values():
        symbols = {granted.id: granted.symbols for granted in key.grants}
        assert symbols == {f"g{number}": {f"S{number}"} for number in range(MOST + 1)}


def test_grants_with_the_same_terms_share_what_they_mean(tree: Tree, compiled: Compile) -> None:
    """A hundred thousand grants to the same places hold one set of them."""
    grants = tree["keys"]["wd"]["grants"]
    grants += [grants[0] | {"id": "same"}, grants[0] | {"id": "later", "expires": LATER}]
    by_name = {grant.id: grant for grant in compiled(tree).keys["wd"].grants}
    assert by_name["same"].assets is by_name["payouts"].assets
    assert by_name["later"].destinations is by_name["payouts"].destinations
