"""Policy documents on the command line: reading one, or saying all that is wrong with it."""

from pathlib import Path
from typing import Annotated

import typer

from policy.document import load
from policy.problems import PolicyError
from policy.rules import Policy
from signer.errors import ConfigError

File = Annotated[Path, typer.Argument(help="A policy document, TOML.")]


def loaded(file: Path) -> Policy:
    """Return the policy in a file.

    Raises:
        Exit: with code 1, after a line for each problem on standard error.
        ConfigError: the file cannot be read.
    """
    from policy.payloads import FORMATS  # noqa: PLC0415 - other commands do without decoders

    try:
        return load(text(file), FORMATS)
    except PolicyError as error:
        for problem in error.problems:
            typer.echo(f"{file}: {problem}", err=True)
        raise typer.Exit(1) from None


def text(file: Path) -> str:
    """Read the exact bytes: the content hash must not depend on line ends.

    Raises:
        ConfigError: the file cannot be read, or is not UTF-8.
    """
    try:
        return content(file).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8: {error.reason} at byte {error.start}") from None


def content(file: Path) -> bytes:
    """Read a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
