"""``signgate policy diff``: is the new policy at most as permissive as the old one?"""

from collections.abc import Iterator

import typer

from policy.compare import Change, Direction, Witness, compare, is_looser
from policy.model import Transfer
from signer.cli.policy_file import File, loaded
from signer.times import rfc3339

LOOSER = 3
_SIGNS = {Direction.LOOSER: "+", Direction.TIGHTER: "-", Direction.EQUAL: "="}


def diff(old: File, new: File) -> None:
    """Compare two policies, field by field; exit code 3 if something is looser.

    Each line starts with + (looser), - (tighter) or = (the same in other words). What
    cannot be proven to be tighter is looser; "e.g." is a request that the new policy
    allows and the old one denies.
    """
    changes = compare(loaded(old), loaded(new))
    for change in changes:
        for line in _lines(change):
            typer.echo(line)
    looser = sum(change.direction is Direction.LOOSER for change in changes)
    typer.echo(f"{looser} of {len(changes)} changes may allow more" if looser else "nothing looser")
    if is_looser(changes):
        raise typer.Exit(LOOSER)
