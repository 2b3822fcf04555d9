"""``signgate policy prove``: does a policy hold to what is claimed about it?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from policy.problems import PolicyError
from policy.prove import Answer, Disproven, NotProven, Proven, Question, load, prove
from policy.reading import read
from policy.rules import Policy
from policy.telling import asked
from signer.cli.policy_file import File, loaded, text
from signer.errors import ConfigError

NOT_PROVEN = 3
_SHOWN = 5


def prove_questions(
    file: File,
    questions: Annotated[
        Path | None, typer.Option(help="The questions; policy.questions.toml beside policy.toml.")
    ] = None,
) -> None:
    """Answer the questions about a policy; the exit code is 3 if one is not proven.

    Each is PROVEN, DISPROVEN with requests that the engine allows, or NOT PROVEN where
    neither could be had. It needs the extra `prove`.
    """
    policy = loaded(file)
    beside = questions or file.with_suffix(".questions.toml")
    try:
        found = load(text(beside), policy)
    except PolicyError as error:
        for problem in error.problems:
            typer.echo(f"{beside}: {problem}", err=True)
        raise typer.Exit(1) from None
    proven = sum(_told(policy, question, _answer(policy, question)) for question in found)
    typer.echo(f"{proven} of {len(found)} questions are proven")
    if proven < len(found):
        raise typer.Exit(NOT_PROVEN)


def _answer(policy: Policy, question: Question) -> Answer:
    try:
        return prove(policy, question)
    except ImportError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'signgate[prove]'") from None


def _told(policy: Policy, question: Question, answer: Answer) -> bool:
    typer.echo("\n".join(_lines(policy, question, answer)))
    return isinstance(answer, Proven)


def _lines(policy: Policy, question: Question, answer: Answer) -> Iterator[str]:
    match answer:
        case Proven():
            yield f"PROVEN {question.name}"
        case NotProven():
            yield f"NOT PROVEN {question.name}: {answer.why}"
        case Disproven():
            yield f"DISPROVEN {question.name}"
            for step in answer.steps[:_SHOWN]:
                meant, _ = read(policy, step.ask.facts)  # what a call moves too
                yield f"      {asked(replace(step.ask, facts=meant), step.at_ms)}"
                if step.approved_by:
                    yield f"      approved by {', '.join(sorted(step.approved_by))}"
            if len(answer.steps) > _SHOWN:
                yield f"      and so on: {len(answer.steps)} requests together"
