"""``signgate policy check``: a summary, or a line for each problem."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from signer.cli.policy import app
from signer.errors import ConfigError

Tree = dict[str, Any]
EXAMPLE = Path(__file__).parents[2] / "deploy/examples/policy.toml"


@pytest.fixture
def file(tmp_path: Path, tree: Tree, write: Callable[[Tree], str]) -> Path:
    """The document in a file, with the line ends of another system."""
    path = tmp_path / "policy.toml"
    path.write_bytes(write(tree).replace("\n", "\r\n").encode())
    return path


def test_a_good_policy_is_summed_up(file: Path) -> None:
    """One line with its counts and the hash of its exact bytes."""
    result = CliRunner().invoke(app, ["check", str(file)])
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert result.exit_code == 0
    assert result.stdout == f"{file}: 2 keys, 2 grants, 3 limits, sha256 {sha256}\n"


def test_the_commented_example_is_good() -> None:
    """What we hand out passes its own check, with the real payload formats."""
    assert CliRunner().invoke(app, ["check", str(EXAMPLE)]).exit_code == 0


def test_each_problem_is_a_line(file: Path) -> None:
    """The file, the path and the problem; the exit status is 1."""
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"50000"', "50000").replace("@treasury", "@tresury"))
    result = CliRunner().invoke(app, ["check", str(file)])
    where = f"{file}: keys.wd"
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f'{where}.limits[0].per_request: a number where a string belongs; write "50000" in quotes',
        f"{where}.grants[0].destinations[0]: @tresury is not defined; add [addresses.tresury]",
    ]


def test_a_syntax_error_is_one_line_with_its_place(tmp_path: Path) -> None:
    """Line and column are in the message."""
    file = tmp_path / "policy.toml"
    file.write_text("schema = 1\nkeys = }\n")
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}: is not TOML: ")
    assert result.stderr.endswith(" at line 2 column 8\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file or directory"), (b"\xff", "is not UTF-8: invalid start byte at byte 0")],
)
def test_an_unreadable_file_is_one_clear_error(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    """The command line shows it as one line."""
    file = tmp_path / "policy.toml"
    if content is not None:
        file.write_bytes(content)
    result = CliRunner().invoke(app, ["check", str(file)])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == f"{file}: {message}"
