"""``signgate policy``: work on policy documents, without a running service."""

from pathlib import Path

import typer

from policy.rules import Policy
from signer.cli.policy_diff import diff
from signer.cli.policy_file import File, loaded

app = typer.Typer(help="Work on policy documents.", no_args_is_help=True)
app.command()(diff)


@app.callback()
def _group() -> None:
    """Work on policy documents."""


@app.command()
def check(file: File) -> None:
    """Check a policy: every problem on a line of its own, or a summary."""
    typer.echo(_summary(file, loaded(file)))


def _summary(file: Path, policy: Policy) -> str:
    keys = policy.keys.values()
    grants = sum(len(key.grants) for key in keys)
    limits = sum(len(key.limits) for key in keys)
    return f"{file}: {len(keys)} keys, {grants} grants, {limits} limits, sha256 {policy.sha256}"
