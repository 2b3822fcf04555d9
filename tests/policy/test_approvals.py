"""What a request lacks, and whose agreement counts."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.approvals import Tally, lacking, tallies
from policy.engine import Unused
from policy.model import Ask, Facts, Transfer
from policy.rules import Policy

BOT = "spiffe://firm.example/bot"
A, B, C = (f"spiffe://firm.example/{name}" for name in "abc")


@pytest.fixture
def policy(tree: dict[str, Any], compiled: Callable[[dict[str, Any]], Policy]) -> Policy:
    """Two grants with approvals, one without, and one for somebody else."""
    [first] = tree["keys"]["pay"]["grants"]
    wants = {"above": "1", "quorum": 2, "approvers": [A, B, BOT]}
    one = {"above": "2", "quorum": 1, "approvers": [C]}
    tree["keys"]["pay"]["grants"] = [
        first | {"id": "two", "approval": wants},
        first | {"id": "one", "approval": one},
        first | {"id": "none", "action": "intent.transfer", "assets": ["EUR"]},
        first | {"id": "theirs", "callers": [A], "approval": one},
    ]
    tree["keys"]["pay"]["limits"].append(
        {"asset": "EUR", "per_request": "1", "windows": [{"span": "1h", "total": "1"}]}
    )
    return compiled(tree)


def ask(amount: int, asset: str = "USD", to: str = "acme") -> Ask:
    """Ask for a payment of cents."""
    return Ask("pay", "intent", BOT, Facts("intent.transfer", (Transfer(asset, amount, to),)))


@pytest.mark.parametrize(
    ("asked", "grants"),
    [
        (ask(201), ("one", "two")),
        (ask(150), ("two",)),
        (ask(201, to="eve"), ()),
        (ask(1001), ()),  # more than the limit
        (ask(201, asset="EUR"), ()),
        (ask(201, asset="GBP"), ()),
    ],
)
def test_what_lacks_only_approvals(policy: Policy, asked: Ask, grants: tuple[str, ...]) -> None:
    """Grants that everything else passes are named, if the limits leave room."""
    assert lacking(policy, asked, Unused(), 0) == grants


def test_whose_approvals_count(policy: Policy) -> None:
    """The grant nearest to its quorum comes first; the caller counts for none."""
    key = policy.keys["pay"]
    none = frozenset[str]()
    two = Tally(frozenset((A, B)), none, 2)
    one = Tally(frozenset((C,)), none, 1)
    assert tallies(key, ("one", "two", "none"), BOT, ()) == [one, two]
    found = tallies(key, ("two",), BOT, (A, BOT, C))
    assert found == [two._replace(given=frozenset((A,)))]
    assert not found[0].reached
    assert tallies(key, ("two",), BOT, (A, B))[0].reached
    assert tallies(key, ("one", "two"), BOT, (A, B))[0].reached


@pytest.mark.parametrize("grants", [("gone",), ("theirs",), ("none",), ()])
def test_grants_that_want_none(policy: Policy, grants: tuple[str, ...]) -> None:
    """A grant that is gone, is for others or wants no approval asks nobody."""
    assert tallies(policy.keys["pay"], grants, BOT, (A,)) == []
    assert tallies(None, grants, BOT, (A,)) == []
    assert tallies(policy.keys["pay"], grants, "nobody.example", (A,)) == []
