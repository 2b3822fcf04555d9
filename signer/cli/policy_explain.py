"""``signgate policy explain``: why a payload would be allowed or denied."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from policy import amounts, fields
from policy.assets import Asset
from policy.engine import Unused
from policy.explain import Considered, Explanation, Moved, explain
from policy.model import Ask, LimitState
from policy.reasons import PayloadError, Reason
from policy.rules import Policy
from policy.telling import asked, span
from signer.cli.policy_file import File, content, loaded
from signer.errors import ConfigError

DENIED = 3


def explain_payload(
    file: File,
    key: Annotated[str, typer.Argument(help="The key that is to sign.")],
    payload: Annotated[Path, typer.Argument(help="The payload, byte for byte.")],
    payload_format: Annotated[str, typer.Option("--format", help="The payload's format.")],
    caller: Annotated[str, typer.Option(help="The caller's SAN.")],
    caller_address: Annotated[str | None, typer.Option(help="The caller's IP address.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When, as 2027-01-31T00:00:00Z; now, without it.")
    ] = None,
    approved_by: Annotated[
        list[str] | None, typer.Option(help="The SAN of an approver; once for each.")
    ] = None,
) -> None:
    """Show what every grant and limit makes of a payload; the exit code is 3 if it is denied.

    Windows are taken to be empty: what was spent is known to the running service only.
    """
    from policy.payloads import decode  # noqa: PLC0415 - other commands do without decoders

    policy, raw, now_ms = loaded(file), content(payload), _time(at)
    try:
        decoded = decode(payload_format, raw)
    except PayloadError as error:
        typer.echo(f"DENIED\n  {_why(error.reason)}")
        raise typer.Exit(DENIED) from None
    ask = Ask(key, payload_format, caller, decoded.facts, caller_address)
    explanation = explain(policy, ask, Unused(), now_ms, frozenset(approved_by or ()))
    typer.echo("\n".join([asked(ask, now_ms), *lines(policy, explanation)]))
    if not explanation.decision.allowed:
        raise typer.Exit(DENIED)


def lines(policy: Policy, explanation: Explanation) -> Iterator[str]:
    """Say how a decision came about."""
    decision = explanation.decision
    yield f"ALLOWED by {decision.grant}" if decision.allowed else "DENIED"
    yield from (f"  {_why(reason)}" for reason in decision.reasons)
    for grant in explanation.grants:
        yield from _grant(grant)
    for moved in explanation.moved:
        yield _per_request(moved)
        states = (item for item in decision.limits if item.counter.asset == moved.asset)
        yield from (f"  {_window(policy.assets[moved.asset], state)}" for state in states)


def _grant(grant: Considered) -> Iterator[str]:
    if grant.checks is None:
        yield f"grant {grant.grant}: is for other callers"
        return
    yield f"grant {grant.grant}: {'matches' if grant.matches else 'does not match'}"
    for check in grant.checks:
        yield f"  {check.rule}: {_why(check.failed) if check.failed else 'ok'}"


def _per_request(moved: Moved) -> str:
    if moved.limit is None:
        return f"limit {moved.asset}: none, so it cannot move"
    sums = (_text(moved.limit.asset, sum_) for sum_ in (moved.amount, moved.limit.per_request))
    return f"limit {moved.asset}: {' of '.join(sums)} in one request"


def _window(asset: Asset, state: LimitState) -> str:
    parts = []
    if state.max_total is not None:
        left = _text(asset, state.max_total - state.after.total)
        parts.append(f"{_text(asset, state.after.total)} of {_text(asset, state.max_total)}")
        parts.append(f"{left} left")
    if state.max_requests is not None:
        parts.append(f"request {state.after.requests} of {state.max_requests}")
    return f"{state.counter.key}, last {span(state.counter.span_ms)}: {', '.join(parts)}"


def _text(asset: Asset, amount: int) -> str:
    return f"{'-' * (amount < 0)}{amounts.to_text(abs(amount), asset.decimals)}"


def _why(reason: Reason) -> str:
    return f"{reason.code} {reason.rule}: {reason.detail}"


def _time(at: str | None) -> int:
    if at is None:
        return time.time_ns() // 1_000_000
    try:
        return fields.instant_ms(at)
    except ValueError as error:
        raise ConfigError(f"--at: {error}") from None
