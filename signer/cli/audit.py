"""``signgate audit``: reading and checking the audit log."""

from base64 import b64encode
from pathlib import Path
from typing import Annotated

import typer

from signer.audit.note import NoteError, Verifier
from signer.audit.verify import VerificationError, verify
from signer.errors import ConfigError
from signer.ledger.verify import verify_ledger

app = typer.Typer(help="Read and check the audit log.", no_args_is_help=True)
EXIT_WRONG = 1


@app.callback()
def audit() -> None:
    """Read and check the audit log."""


@app.command("verify")
def verify_command(
    directory: Annotated[
        Path | None, typer.Argument(help="The published log: checkpoint and tiles.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The log's verifier key, name+id+key.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="A file with the verifier key.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="Check a ledger file instead.")
    ] = None,
) -> None:
    """Check a published log, or a ledger file, down to its last byte.

    Prints size and root hash and exits with 0, or says what is wrong and exits with 1.
    """
    try:
        if ledger is None:
            size, root = _published(directory, _verifier(key, key_file))
        elif directory is None:
            size, root = verify_ledger(ledger)
        else:
            raise ConfigError("either a directory or --ledger is checked, not both")
    except VerificationError as error:
        typer.echo(f"signgate: WRONG: {error}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    typer.echo(f"verified: {size} entries, root {b64encode(root).decode()}")


def _published(directory: Path | None, verifier: Verifier) -> tuple[int, bytes]:
    if directory is None:
        raise ConfigError("name the published log's directory, or --ledger and a file")
    verified = verify(directory, verifier)
    for path in verified.ignored:
        typer.echo(f"not covered by the checkpoint: {path}", err=True)
    return verified.head.size, verified.head.root


def _verifier(key: str | None, key_file: Path | None) -> Verifier:
    if (key is None) == (key_file is None):
        raise ConfigError("the log's key is needed: exactly one of --key or --key-file")
    try:
        vkey = key if key_file is None else key_file.read_text(encoding="utf-8").strip()
        return Verifier.from_vkey(vkey or "")
    except OSError as error:
        raise ConfigError(f"{key_file}: {error.strerror}") from None
    except (NoteError, UnicodeDecodeError) as error:
        raise ConfigError(f"the verifier key: {error}") from None
