"""``signgate policy replay``: which recorded decisions would another policy have changed?"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from policy import fields, words
from policy.replay import Change, Replay
from policy.rules import Policy
from signer.audit.history import CutError, event
from signer.audit.tiles import entries
from signer.cli.policy_file import File, loaded
from signer.errors import ConfigError

CHANGED = 3
_SPAN = re.compile("[0-9]+[smhd]", re.ASCII)

Pem = Annotated[Path | None, typer.Option(help="PEM file, for --address.")]


def replay(
    file: File,
    since: Annotated[
        str | None, typer.Option(help="As 2027-01-31T00:00:00Z, or 30d; all, without it.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="The directory of a published log.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Or the control port of a running service, host:port.")
    ] = None,
    ca: Pem = None,
    certificate: Pem = None,
    private_key: Pem = None,
) -> None:
    """Decide recorded requests again under a policy and list what would change.

    Each line starts with + (now allowed), - (now refused) or ~ (refused for another
    reason). The exit code is 3 if there is one. What was allowed before --since fills
    the policy's windows; what came later, only where the policy allows it. A published
    log is read as it is: check it with `signgate audit verify` first.
    """
    policy = loaded(file)
    again = Replay(policy, 0 if since is None else _since_ms(since))
    history = _history(log, address, ca, private_key, certificate)
    raise typer.Exit(_report(policy, again, history))


def _report(policy: Policy, again: Replay, history: Iterator[bytes]) -> int:
    counts = {"+": 0, "-": 0, "~": 0}
    cut = 0
    for body in history:
        try:
            found = event(body)
        except CutError:
            cut += 1
            continue
        change = again.step(found) if found else None
        if change is not None:
            counts[_sign(change)] += 1
            typer.echo("\n".join(_lines(policy, change)))
    typer.echo(
        f"{again.decided} decisions: {counts['-']} would be refused, {counts['+']} would be"
        f" allowed, {counts['~']} would be refused for another reason"
    )
    if cut:
        typer.echo(f"{cut} records were cut when they were stored and could not be decided again")
    return CHANGED if any(counts.values()) else 0


def _sign(change: Change) -> str:
    if change.decision.allowed:
        return "+"
    return "~" if change.asked.reasons else "-"


def _lines(policy: Policy, change: Change) -> Iterator[str]:
    asked, decision = change.asked, change.decision
    ask, when = asked.ask, words.utc(asked.at_ms)
    does = words.sentence(ask.facts, policy.assets)
    yield f"{_sign(change)} {asked.index} {when} {ask.caller} with {ask.key}: {does}"
    yield f"      was {'refused: ' + asked.reasons[0].code if asked.reasons else 'allowed'}"
    if decision.allowed:
        yield f"      would be allowed by {decision.grant}"
    for reason in decision.reasons:
        yield f"      would be refused: {reason.code} {reason.rule}: {reason.detail}"


def _since_ms(text: str) -> int:
    try:
        if _SPAN.fullmatch(text):
            return time.time_ns() // 1_000_000 - fields.span_ms(text)
        return fields.instant_ms(text)
    except ValueError as error:
        raise ConfigError(f"--since: {error}") from None


def _history(log: Path | None, address: str | None, *pems: Path | None) -> Iterator[bytes]:
    """Return every record so far, of a directory or of the control port."""
    named = [pem for pem in pems if pem is not None]
    if log is not None and address is None:
        return _exported(log)
    if log is None and address is not None and len(named) == len(pems):
        return _live(address, named)
    raise ConfigError(
        "needs --log, or --address with --ca, --private-key and --certificate; not both"
    )


def _exported(log: Path) -> Iterator[bytes]:
    try:
        yield from entries(log)
    except ValueError as error:
        raise ConfigError(f"{log}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from None


def _live(address: str, pems: list[Path]) -> Iterator[bytes]:
    from signer.cli.tail import responses  # noqa: PLC0415 - loads the transport
    from signer.v1.audit_service_pb2 import TailRecordsRequest  # noqa: PLC0415 - loaded when needed

    ca, private_key, certificate = pems
    request = TailRecordsRequest(stop_at_end=True)
    for response in responses(address, (ca, private_key, certificate), request):
        yield response.record
