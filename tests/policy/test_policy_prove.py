"""``signgate policy prove``: an answer a line, an example where a claim does not hold."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from policy import abi
from signer.cli.policy import app
from tests.policy.conftest import USDC

Tree = dict[str, Any]
Write = Callable[[Tree], str]
Prove = Callable[..., Any]

EXAMPLE = Path(__file__).parents[2] / "deploy/examples/policy.toml"


@pytest.fixture
def prove(tmp_path: Path, tree: Tree, write: Write) -> Prove:
    """Ask questions about the usual policy."""
    (tmp_path / "policy.toml").write_text(write(tree), encoding="utf-8")

    def run(*questions: Tree) -> Any:
        beside = tmp_path / "policy.questions.toml"
        beside.write_text(write({"questions": list(questions)}), encoding="utf-8")
        return CliRunner().invoke(app, ["prove", str(tmp_path / "policy.toml")])

    return run


def test_the_example_is_proven() -> None:
    """What is shipped holds, and the exit code is 0."""
    result = CliRunner().invoke(app, ["prove", str(EXAMPLE)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "8 of 8 questions are proven"


def test_each_answer_is_a_line(prove: Prove, tree: Tree) -> None:
    """A claim that does not hold has its requests below it; the exit code is 3."""
    usd = {"asset": "USD", "keys": ["pay"]}
    result = prove(
        usd | {"name": "it holds", "per_request": "10"},
        usd | {"name": "it does not", "per_request": "9.99"},
    )
    assert result.exit_code == 3
    assert result.stdout.splitlines() == [
        "PROVEN it holds",
        "DISPROVEN it does not",
        (
            "      spiffe://firm.example/bot does intent.transfer with pay at"
            " 2026-01-05T00:00:00Z: payment of 1000 base units of USD to acme"
        ),
        "1 of 2 questions are proven",
    ]


def test_many_requests_are_summed_up(prove: Prove, tree: Tree, tmp_path: Path) -> None:
    """The first few are shown, and how many there are."""
    window = {"span": "3h", "count": 8}
    result = prove({"asset": "USD", "name": "few", "window": window})
    shown = result.stdout.splitlines()
    assert shown[-2:] == ["      and so on: 9 requests together", "0 of 1 questions are proven"]
    assert sum("does intent.transfer" in line for line in shown) == 5


def test_approvers_are_shown(prove: Prove, tree: Tree, tmp_path: Path, write: Write) -> None:
    """Whoever has to have approved the request is named; what is not known says why."""
    wanted = {"above": "0", "quorum": 1, "approvers": ["x.example"]}
    grant = tree["keys"]["pay"]["grants"][0]
    grant["approval"] = wanted
    grant |= {"not_before": "2027-01-02T00:00:00Z", "expires": "2027-01-04T00:00:00Z"}
    (tmp_path / "policy.toml").write_text(write(tree), encoding="utf-8")
    question = {"name": "one", "asset": "USD", "per_request": "1"}
    assert "      approved by x.example" in prove(question).stdout.splitlines()
    grant["hours"] = {"tz": "UTC", "days": "mon", "from": "08:00", "to": "18:00"}
    (tmp_path / "policy.toml").write_text(write(tree), encoding="utf-8")
    assert prove(question).stdout.startswith("NOT PROVEN one: pay: the engine refuses")


def test_questions_that_are_wrong_are_listed(prove: Prove) -> None:
    """Each problem on a line of its own; the exit code is 1."""
    result = prove({"name": "a", "keys": ["nope"], "never": True})
    assert result.exit_code == 1
    assert result.stderr.endswith("policy.questions.toml: a: no key nope\n")


def test_without_the_extra_it_says_what_to_install() -> None:
    """One line, and no traceback."""
    code = "import sys; sys.modules['z3'] = None; from signer.cli import main; main()"
    command = [sys.executable, "-c", code, "policy", "prove", str(EXAMPLE)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "signgate: z3 is missing: pip install 'signgate[prove]'\n"


def test_a_call_is_told_by_what_it_moves(
    prove: Prove, tree: Tree, tmp_path: Path, write: Write
) -> None:
    """As the policy reads it, beside the data that the payload holds."""
    contract = "0x3333333333333333333333333333333333333333"
    signature = "put(uint256 sum)"
    call = {"signature": signature, "amount": "sum", "asset": "USDC@eip155:1"}
    tree["contracts"] = {"vault": {"address": contract, "chain_id": 1, "calls": {"put": call}}}
    grant = tree["keys"]["wd"]["grants"][0]
    grant |= {"action": "call.vault.put", "destinations": [contract]}
    (tmp_path / "policy.toml").write_text(write(tree), encoding="utf-8")
    question = {"name": "one", "asset": "USDC@eip155:1", "per_request": "49999.999999"}
    shown = prove(question).stdout.splitlines()[1]
    moved = f"payment of 50000000000 base units of eip155:1/erc20:{USDC} to {contract}"
    data = abi.parse(signature).selector.hex() + f"{50_000_000_000:064x}"
    assert moved in shown
    assert shown.endswith(f", call of {contract} with 0x{data}")
    assert "does call.vault.put with wd" in shown
