"""``signgate policy``: work on policy documents, and on those of a running service."""

from pathlib import Path

import typer

from policy.json_schema import document_schema
from policy.rules import Policy
from signer.cli.policy_diff import diff
from signer.cli.policy_explain import explain_payload
from signer.cli.policy_file import File, loaded
from signer.cli.policy_lifecycle import COMMANDS
from signer.cli.policy_prove import prove_questions
from signer.cli.policy_replay import replay
from signer.cli.policy_tests import run_tests

app = typer.Typer(help="Work on policy documents.", no_args_is_help=True)
app.command()(diff)
app.command("explain")(explain_payload)
app.command()(replay)
app.command("prove")(prove_questions)
app.command("test")(run_tests)
for _command in COMMANDS:
    app.command()(_command)


@app.callback()
def _group() -> None:
    """Work on policy documents."""


@app.command()
def check(file: File) -> None:
    """Check a policy: every problem on a line of its own, or a summary."""
    typer.echo(_summary(file, loaded(file)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy documents, for editors."""
    typer.echo(document_schema(), nl=False)


def _summary(file: Path, policy: Policy) -> str:
    keys = policy.keys.values()
    grants = sum(len(key.grants) for key in keys)
    limits = sum(len(key.limits) for key in keys)
    return f"{file}: {len(keys)} keys, {grants} grants, {limits} limits, sha256 {policy.sha256}"
