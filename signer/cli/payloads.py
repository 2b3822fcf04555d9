"""``signgate payloads``: the formats that are decoded, and what a payload means."""

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from policy import assets, reading, words
from policy.model import Decoded, Format
from policy.reasons import PayloadError, Reason
from signer.cli.policy_file import content, loaded
from signer.errors import ConfigError

REFUSED = 3
STDIN = Path("-")

app = typer.Typer(help="See what payloads mean.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """See what payloads mean."""


@app.command("list")
def list_formats() -> None:
    """List the payload formats, each with its actions and the algorithms of its keys."""
    from policy.payloads import FORMATS  # noqa: PLC0415 - other commands do without decoders

    for tag in sorted(FORMATS):
        typer.echo("\n".join(_described(FORMATS[tag])))


@app.command("decode")
def decode_payload(
    file: Annotated[Path, typer.Argument(help="The payload, byte for byte; - for standard input.")],
    payload_format: Annotated[
        str | None, typer.Option("--format", help="Its format; without it, each is tried.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="A policy, whose assets give amounts their decimals, and whose calls are read."
        ),
    ] = None,
) -> None:
    """Say what a payload does, as the signer decodes it; the exit code is 3 if it is refused."""
    raw = sys.stdin.buffer.read() if file == STDIN else content(file)
    tag, decoded = _tried(raw) if payload_format is None else _read(payload_format, raw)
    facts, known = decoded.facts, {asset.ref: asset for asset in assets.WELL_KNOWN}
    if policy is not None:
        found = loaded(policy)
        (facts, _), known = reading.read(found, facts), dict(found.assets)
    lines = words.lines(facts, known)
    typer.echo(f"{tag}\n" + "\n".join(f"  {line}" for line in (*lines, _signed(decoded))))


def _described(item: Format) -> Iterator[str]:
    yield item.tag
    yield f"  actions: {', '.join(sorted(item.actions))}"
    yield f"  keys: {', '.join(sorted(item.algorithms))}"


def _signed(decoded: Decoded) -> str:
    signed = b"".join(decoded.messages)
    what = f"{len(decoded.messages)} messages, " if decoded.further else ""
    return f"signs {what}{len(signed)} bytes, sha256 {sha256(signed).hexdigest()}"


def _read(tag: str, raw: bytes) -> tuple[str, Decoded]:
    from policy.payloads import decode  # noqa: PLC0415 - as above

    try:
        return tag, decode(tag, raw)
    except PayloadError as error:
        typer.echo(f"{tag}: {_why(error.reason)}", err=True)
        raise typer.Exit(REFUSED) from None


def _tried(raw: bytes) -> tuple[str, Decoded]:
    """Decode with the one format that reads it."""
    from policy.payloads import FORMATS, decode  # noqa: PLC0415 - as above

    found: list[tuple[str, Decoded]] = []
    for tag in sorted(FORMATS):
        try:
            found.append((tag, decode(tag, raw)))
        except PayloadError:
            continue
    # Most payloads are text: they are a text for people only if they are nothing else.
    found = [item for item in found if item[1].facts.text is None] or found
    if len(found) == 1:
        return found[0]
    if found:
        tags = ", ".join(tag for tag, _ in found)
        raise ConfigError(f"several formats read it: {tags}; name one with --format")
    typer.echo("no format reads it; name its own with --format to see why", err=True)
    raise typer.Exit(REFUSED)


def _why(reason: Reason) -> str:
    return f"{reason.code} {reason.rule}: {reason.detail}"
