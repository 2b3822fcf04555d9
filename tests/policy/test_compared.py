"""What a reviewer reads: the lines for an edit of the document and for the way back.

``compared.jsonl`` has an edit a line: where, the value before and after (null leaves the
document as it is), and the lines, which begin with + for looser, - for tighter, = for equal;
below what is looser, the request that shows it. ``edge_witnesses.json`` has the requests of
the loosenings in ``test_edge_witnesses.py``.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy.compare import Change, Direction, compare
from policy.rules import Policy
from policy.telling import witnessed
from tests.policy.test_edge_witnesses import CASES, HEAD

Tree = dict[str, Any]
SIGNS = {Direction.LOOSER: "+", Direction.TIGHTER: "-", Direction.EQUAL: "="}
RECORD = Path(__file__).with_name("compared.jsonl").read_text("ascii").splitlines()
REQUESTS = json.loads(Path(__file__).with_name("edge_witnesses.json").read_text("ascii"))
EDITS = [json.loads(line) for line in RECORD]


@pytest.mark.parametrize(
    ("where", "before", "after", "there", "back"),
    EDITS,
    ids=[f"{number}-{where}" for number, (where, *_) in enumerate(EDITS)],
)
def test_each_edit_has_its_lines(
    where: str,
    before: object,
    after: object,
    there: list[str],
    back: list[str],
    tree: Tree,
    compiled: Callable[[Tree], Policy],
    edit: Callable[[Tree, str, object], None],
) -> None:
    """Every line of both ways: its direction, its place and its words, in order."""
    tree["keys"]["pay"]["limits"].append(
        {"asset": "EUR", "per_request": "5", "windows": [{"span": "1h", "total": "5"}]}
    )
    policies = []
    for value in (before, after):
        edited = copy.deepcopy(tree)
        if value is not None:
            edit(edited, where, value)
        policies.append(compiled(edited))
    old, new = policies
    assert (_lines(old, new), _lines(new, old)) == (there, back)


@pytest.mark.parametrize("case", CASES)
def test_each_loosening_at_several_edges_has_its_request(
    case: str, compiled: Callable[[Tree], Policy]
) -> None:
    """Who asks for what, when, and what windows hold: the one request that a reviewer is shown."""
    before, after, path = CASES[case]
    changes = compare(compiled(HEAD | before), compiled(HEAD | after))
    (found,) = (change for change in changes if change.path == path)
    assert _example(found) == REQUESTS[case]


def _lines(old: Policy, new: Policy) -> list[str]:
    return [
        line
        for item in compare(old, new)
        for line in (f"{SIGNS[item.direction]} {item.path}: {item.description}", *_example(item))
    ]


def _example(change: Change) -> list[str]:
    return list(witnessed(change.witness)) if change.witness else []
