"""The published JSON Schema of policy documents: current, and true of what we hand out."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from signer.cli.policy import app

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "policy/schemas/policy.schema.json"
EXAMPLE = tomllib.loads((ROOT / "deploy/examples/policy.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """The published schema."""
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_published_schema_is_current() -> None:
    """Write it again with: signgate policy schema > policy/schemas/policy.schema.json."""
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    assert result.stdout == PUBLISHED.read_text(encoding="utf-8")


def test_the_example_fits(validator: Draft202012Validator) -> None:
    """An editor finds nothing to complain about."""
    assert not list(validator.iter_errors(EXAMPLE))


@pytest.mark.parametrize(
    "extra", [{"rules": {}}, {"schema": "1"}, {"keys": {"k": {"grants": []}}}, {"keys": None}]
)
def test_what_has_another_shape_does_not_fit(
    extra: dict[str, object], validator: Draft202012Validator
) -> None:
    """Unknown fields, other types and missing fields are marked."""
    assert list(validator.iter_errors(EXAMPLE | extra))


def test_every_field_says_what_it_is() -> None:
    """A field without a description would show nothing in an editor."""
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    tables = [schema, *schema["$defs"].values()]
    bare = [
        (table.get("title"), name)
        for table in tables
        for name, field in table.get("properties", {}).items()
        if "description" not in field
    ]
    assert bare == []
