"""``signgate policy``: work on policy documents, without a running service."""

from pathlib import Path
from typing import Annotated

import typer

from policy.document import load
from policy.problems import PolicyError
from policy.rules import Policy
from signer.errors import ConfigError

app = typer.Typer(help="Work on policy documents.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A policy document, TOML.")]


@app.callback()
def _group() -> None:
    """Work on policy documents."""


@app.command()
def check(file: File) -> None:
    """Check a policy: every problem on a line of its own, or a summary."""
    from policy.payloads import FORMATS  # noqa: PLC0415 - other commands do without decoders

    try:
        policy = load(_read(file), FORMATS)
    except PolicyError as error:
        for problem in error.problems:
            typer.echo(f"{file}: {problem}", err=True)
        raise typer.Exit(1) from None
    typer.echo(_summary(file, policy))


def _read(file: Path) -> str:
    """Read the exact bytes: the content hash must not depend on line ends."""
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8: {error.reason} at byte {error.start}") from None


def _summary(file: Path, policy: Policy) -> str:
    keys = policy.keys.values()
    grants = sum(len(key.grants) for key in keys)
    limits = sum(len(key.limits) for key in keys)
    return f"{file}: {len(keys)} keys, {grants} grants, {limits} limits, sha256 {policy.sha256}"
