"""The README is true: its commands run, its policy loads, its call signs."""

import re
import subprocess
from pathlib import Path

import pytest
from google.rpc import code_pb2
from typer.testing import CliRunner

from deploy.dev.demo import ONE_USDC, main, usdc_transfer
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from policy import document
from policy.payloads import FORMATS
from signer.cli.commands import app
from signer.rpc.status import STATUS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = ROOT / "deploy" / "docs"
GROUPS = {"approvals", "audit", "keys", "payloads", "policy"}


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_demonstration_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step of ``make demo`` does what it says."""
    main([str(tmp_path / "demo")])
    assert "All of it held." in capsys.readouterr().out


def test_the_demonstration_fails_when_a_step_does(tmp_path: Path) -> None:
    """A step that does not hold ends it with exit code 1: here nothing can be listened on."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    command = ["python", "-m", "deploy.dev.demo", str(tmp_path / "file" / "demo")]
    assert subprocess.run(command, check=False, capture_output=True, cwd=ROOT).returncode == 1


def test_every_make_target_exists() -> None:
    """The README names no target that the Makefile lacks."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", README))
    assert named >= {"demo", "test", "dev"}
    assert named <= targets


def test_the_policy_loads() -> None:
    """The README's policy is a whole and valid one."""
    (text,) = blocks("toml")
    assert set(document.load(text, FORMATS).keys) == {"wd-usdc"}


def test_the_call_signs(here: Environment, serving: Serving) -> None:
    """The README's Python signs a transaction when it is given what it needs."""
    (code,) = blocks("python")
    names: dict[str, object] = {
        "ca": (here.directory / "ca.crt").read_bytes(),
        "private_key": (here.directory / "wallet.key").read_bytes(),
        "certificate": (here.directory / "wallet.crt").read_bytes(),
        "unsigned_transaction": usdc_transfer(ONE_USDC),
    }
    exec(code.replace("127.0.0.1:8443", serving.signing), names)
    response = names["response"]
    assert response.ethereum.raw_transaction  # type: ignore[attr-defined]  # a message


def commands() -> list[tuple[str, ...]]:
    """Return the ``signgate`` commands, each with its options, that README and docs show."""
    text = "\n".join([README, *(page.read_text("utf-8") for page in sorted(DOCS.glob("*.md")))])
    found = re.findall(r"(?:`|^)(signgate [^`\n]+)", text, re.MULTILINE)
    return sorted({_command(line.split()) for line in found})


def _command(line: list[str]) -> tuple[str, ...]:
    words = [word for word in line[1:] if re.fullmatch("[a-z-]+", word)]
    words = words[:2] if words[0] in GROUPS else words[:1]
    return (*words, *(word for word in line if re.fullmatch("--[a-z-]+", word)))


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_and_option_exists(command: tuple[str, ...]) -> None:
    """Each command that README and docs name has a help page with each option they name."""
    words = [word for word in command if not word.startswith("--")]
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).output
    for option in command[len(words) :]:
        assert option in shown


def test_the_policy_check_that_the_readme_shows(here: Environment) -> None:
    """The example policy passes the check."""
    ended = here.signgate("policy", "check", str(ROOT / "deploy/examples/policy.toml"))
    assert "4 keys" in ended.stdout


def test_every_status_of_a_call_is_explained() -> None:
    """The README's table has exactly the statuses that a signing call can end with."""
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    assert explained == {code_pb2.Code.Name(number) for number in STATUS.values()} - {"NOT_FOUND"}
