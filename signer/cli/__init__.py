"""The command ``signgate``."""

import sys

import typer

from signer.errors import SigngateError

EXIT_FAILURE = 1


def main() -> None:
    """Run the command; every expected failure is one line on standard error."""
    from signer.cli.commands import app  # noqa: PLC0415 - --help of a part must not load it all

    try:
        app()
    except SigngateError as error:
        typer.echo(f"signgate: {error}", err=True)
        sys.exit(EXIT_FAILURE)
