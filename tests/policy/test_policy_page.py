"""The page about policies shows documents that are right."""

import re
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from policy.schema import Document
from signer.cli.policy import app

PAGE = (Path(__file__).parents[2] / "deploy/docs/policy.md").read_text(encoding="utf-8")
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
