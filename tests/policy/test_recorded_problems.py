"""What an author reads of a mistake: every line, in order.

``problems.jsonl`` has a mistake a line: where, the value there (null takes it out), and all
problems of the document with it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy.problems import Problem

Tree = dict[str, Any]
RECORD = Path(__file__).with_name("problems.jsonl").read_text("ascii").splitlines()
MISTAKES = [json.loads(line) for line in RECORD]


@pytest.mark.parametrize(
    ("where", "value", "lines"),
    MISTAKES,
    ids=[f"{number}-{where}" for number, (where, *_) in enumerate(MISTAKES)],
)
def test_each_mistake_has_its_lines(
    where: str,
    value: object,
    lines: list[str],
    tree: Tree,
    edit: Callable[[Tree, str, object], None],
    problems: Callable[[Tree], tuple[Problem, ...]],
) -> None:
    """Each problem has its place and its words, and nothing else is reported."""
    edit(tree, where, value)
    assert [str(problem) for problem in problems(tree)] == lines
