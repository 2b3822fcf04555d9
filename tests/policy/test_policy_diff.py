"""``signgate policy diff``: a line for each change, and an exit code for machines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from signer.cli.policy import app

Tree = dict[str, Any]
Diff = Callable[[Tree, Tree], Any]


@pytest.fixture
def diff(tmp_path: Path, write: Callable[[Tree], str]) -> Diff:
    """Run the command on two documents."""

    def run(old: Tree, new: Tree) -> Any:
        for name, document in (("old", old), ("new", new)):
            (tmp_path / name).write_text(write(document), encoding="utf-8")
        return CliRunner().invoke(app, ["diff", str(tmp_path / "old"), str(tmp_path / "new")])

    return run


def _limited(tree: Tree, **limit: object) -> Tree:
    key = tree["keys"]["pay"]
    return tree | {"keys": {"pay": key | {"limits": [key["limits"][0] | limit]}}}


def test_tighter_exits_with_0(diff: Diff, tree: Tree) -> None:
    """Nothing looser: a pipeline may let it pass."""
    result = diff(_limited(tree), _limited(tree, per_request="9"))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "- keys.pay.limits.USD.per_request: falls from 10 USD to 9 USD",
        "not looser: whatever is allowed now was allowed before",
    ]


def test_looser_exits_with_3_and_an_example(diff: Diff, tree: Tree) -> None:
    """The request below a change can be read by people, with its time and what was spent."""
    window = {"span": "1h", "total": "30", "count": 3}
    result = diff(_limited(tree), _limited(tree, windows=[window]))
    assert result.exit_code == 3
    who = "spiffe://firm.example/bot does intent.transfer with pay at 2026-01-05T00:00:00Z"
    assert result.stdout.splitlines() == [
        "+ keys.pay.limits.USD.windows.1h.total: rises from 25 USD to 30 USD",
        f"      e.g. {who}: payment of 1 base units of USD to acme",
        "      when the last 1h of USD hold 2500 base units in 1 requests",
        "looser: 1 of 1 changes may allow more than before",
    ]


def test_approvers_and_sources_are_in_the_example(diff: Diff, tree: Tree) -> None:
    """Whoever has to have approved it is named, and whose funds move."""
    grant = tree["keys"]["pay"]["grants"][0]
    grant["sources"] = ["vault"]
    officers = ["a.example", "b.example"]
    grant["approval"] = {"above": "0", "quorum": 2, "approvers": officers}
    old = _limited(tree)
    new = _limited(tree)
    new["keys"] = {
        "pay": new["keys"]["pay"] | {"grants": [grant | {"id": "x", "callers": ["c.example"]}]}
    }
    result = diff(old, new)
    assert result.exit_code == 3
    assert "payment of 1 base units of USD to acme, funds of vault" in result.stdout
    assert "approved by a.example, b.example" in result.stdout
    assert "- keys.pay.grants.suppliers: is removed" in result.stdout


def test_a_document_that_is_no_policy_exits_with_1(diff: Diff, tree: Tree) -> None:
    """Its problems are listed; nothing is compared."""
    result = diff(tree, {"schema": 1})
    assert result.exit_code == 1
    assert result.stdout == ""
