"""The mutants are real: they compile, they change what runs, and they are undone."""

import subprocess
import sys
from pathlib import Path

import pytest

from policy import amounts
from tests.mutation.mutants import Module, Mutant
from tests.mutation.trial import Live

AMOUNTS = Module(Path("policy/amounts.py"))
LOST_SIGN = "+    return +int(-amount // 10 ** (decimals - wanted))"
LONGER = '+    digits = str(amount).rjust(decimals + 2, "0")'
SEES_IT = "tests/policy/test_amounts.py::test_text_has_no_needless_zeros[0-6-0]"
ROOT = Path(__file__).parents[2]


def _mutant(line: str) -> Mutant:
    return next(item for item in AMOUNTS.mutants if line in AMOUNTS.difference(item).split("\n"))


def test_each_mutant_is_one_change_that_compiles() -> None:
    """Nothing is tried twice, and nothing fails for its syntax."""
    made = [AMOUNTS.mutated(mutant) for mutant in AMOUNTS.mutants]
    assert len({*made, AMOUNTS.code}) == len(made) + 1
    for code in made:
        compile(code, "mutated", "exec")


def test_a_mutant_changes_what_exists_and_is_undone() -> None:
    """Whoever imported the function before runs its mutant, as long as that is tried."""
    imported = amounts.rescale
    assert imported(15, 1, 0) == 2
    with Live().mutated(AMOUNTS, _mutant(LOST_SIGN)) as reached:
        assert reached
        assert imported(15, 1, 0) == -2
    assert imported(15, 1, 0) == 2


@pytest.mark.parametrize(("line", "killed"), [(LONGER, True), (LOST_SIGN, False)])
def test_a_mutant_is_tried_in_a_new_process(line: str, killed: bool) -> None:  # noqa: FBT001 — a table
    """The module is imported mutated there: a test that sees it fails, and no other."""
    command = [sys.executable, "-m", "tests.mutation.alone", str(AMOUNTS.path)]
    number = str(_mutant(line).number)
    done = subprocess.run([*command, number], input=SEES_IT, text=True, check=False, cwd=ROOT)
    assert (done.returncode != 0) == killed
