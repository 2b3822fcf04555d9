"""``signgate policy test``: do the tests beside a policy pass?"""

from pathlib import Path
from typing import Annotated

import typer

from policy import cases
from policy.cases import Case
from policy.model import Facts
from policy.problems import PolicyError
from signer.cli.policy_file import File, content, loaded, text


def run_tests(
    file: File,
    tests: Annotated[
        Path | None, typer.Option(help="The tests; policy.tests.toml beside policy.toml.")
    ] = None,
) -> None:
    """Run the tests of a policy; the exit code is 1 if one fails."""
    from policy.payloads import decode  # noqa: PLC0415 - other commands do without decoders

    policy = loaded(file)
    beside = tests or file.with_suffix(".tests.toml")

    def facts(tag: str, name: str) -> Facts:
        return decode(tag, content(beside.parent / name)).facts

    try:
        found = cases.load(text(beside))
        failed = sum(_failed(case, cases.failure(policy, case, facts)) for case in found)
    except PolicyError as error:
        for problem in error.problems:
            typer.echo(f"{beside}: {problem}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{len(found) - failed} of {len(found)} tests pass")
    if failed:
        raise typer.Exit(1)


def _failed(case: Case, failure: str | None) -> bool:
    if failure:
        typer.echo(f"FAIL {case.name}: {failure}")
    return failure is not None
