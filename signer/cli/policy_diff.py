"""``signgate policy diff``: is the new policy at most as permissive as the old one?"""

from collections.abc import Iterator

import typer

from policy.compare import Change, Direction, compare
from policy.telling import witnessed
from signer.cli.policy_file import File, loaded

LOOSER = 3
_SIGNS = {Direction.LOOSER: "+", Direction.TIGHTER: "-", Direction.EQUAL: "="}


def diff(old: File, new: File) -> None:
    """Compare two policies field by field; the exit code is 3 if something is looser.

    Each line starts with + (looser), - (tighter) or = (allows the same). What cannot
    be proven to be tighter is looser. Below it, a request that the new policy allows
    and the old one denies, where one was found.
    """
    changes = compare(loaded(old), loaded(new))
    for change in changes:
        typer.echo("\n".join(_lines(change)))
    looser = sum(change.direction is Direction.LOOSER for change in changes)
    if looser:
        typer.echo(f"looser: {looser} of {len(changes)} changes may allow more than before")
        raise typer.Exit(LOOSER)
    typer.echo("not looser: whatever is allowed now was allowed before")


def _lines(change: Change) -> Iterator[str]:
    yield f"{_SIGNS[change.direction]} {change.path}: {change.description}"
    if change.witness is not None:
        yield from (f"      {line}" for line in witnessed(change.witness))
