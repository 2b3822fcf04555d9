"""The page about policies shows documents that are right."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policy.root import load
from policy.schema import Document
from signer.cli.policy import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "deploy/docs/policy.md").read_text(encoding="utf-8")
START = 'schema = 1\nkeys.trading.algorithm = "ed25519"\nkeys.trading.payloads = ["intent"]\n'


def test_its_grant_and_limits_make_a_document() -> None:
    """Every field that it shows exists and takes what it is given."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    document = Document.model_validate(tomllib.loads(START + "".join(blocks)))
    (grant,) = document.keys["trading"].grants
    assert grant is not None
    assert grant.worst_price is not None
    assert isinstance(grant.hours, list)
    assert list(document.groups) == ["trading"]


def test_it_names_every_command() -> None:
    """Whoever reads the page finds each command of `signgate policy` there."""
    listed = CliRunner().invoke(app, ["--help"]).stdout
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr] # all have one
        assert name in listed
        assert f"signgate policy {name}" in PAGE


def lines() -> list[list[str]]:
    """Return the page's command lines, continued lines joined."""
    blocks = "".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", "")
    found = re.findall(r"^signgate policy ([^#>\n]+)", blocks, re.MULTILINE)
    return [line.split() for line in found]


@pytest.mark.parametrize("words", lines(), ids=" ".join)
def test_its_options_exist(words: list[str]) -> None:
    """Each command line has options that the command knows."""
    shown = CliRunner().invoke(app, [words[0], "--help"], env={"COLUMNS": "200"}).stdout
    assert {word for word in words if word.startswith("--")} <= set(shown.split())


def test_the_example_root_document_loads() -> None:
    """Its officers are more than its quorum for everything, and the job is none of them."""
    root = load((ROOT / "deploy/examples/root.toml").read_text(encoding="utf-8"))
    assert len(root.officers) > root.root_quorum > root.quorum
    assert root.proposers.isdisjoint(root.officers)
