"""Objectives that a run must meet: a TOML file, and a verdict on each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from loadtest import documents, metrics
from loadtest.documents import Table
from loadtest.report import Report


def _known(name: str) -> str:
    if name not in metrics.METRICS:
        raise ValueError(f"no metric {name}; there are: {', '.join(metrics.METRICS)}")
    return name


class Objective(Table):
    """``[[objectives]]``: bounds on one figure.

    Attributes:
        metric: its name in ``loadtest.metrics``.
        at_most, at_least: the bounds, both allowed values; at least one of them.
        call: a call's name; without it, all calls together.
    """

    metric: Annotated[str, AfterValidator(_known)]
    at_most: float | None = None
    at_least: float | None = None
    call: str | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.at_most is None and self.at_least is None:
            raise ValueError("bounds nothing; give it at_most or at_least")
        if self.call is not None and self.metric not in metrics.OF_ONE_CALL:
            known = ", ".join(sorted(metrics.OF_ONE_CALL))
            raise ValueError(f"{self.metric} is not of one call; these are: {known}")
        return self

    def __str__(self) -> str:
        of = f" of {self.call}" if self.call else ""
        least = "" if self.at_least is None else f" >= {self.at_least:g}"
        most = "" if self.at_most is None else f" <= {self.at_most:g}"
        return f"{self.metric}{of}{least}{most}"


class Objectives(Table):
    """The whole file.

    Attributes:
        schema_: the version of this shape, 1.
        objectives: each must hold.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")]
    objectives: Annotated[list[Objective], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an objective was met; ``found`` says by what value."""

    objective: str
    met: bool
    found: str

    def __str__(self) -> str:
        return f"{'pass' if self.met else 'FAIL'}  {self.objective}: {self.found}"


def load(path: Path) -> Objectives:
    """Read a file of objectives.

    Raises:
        LoadtestError: every problem, each with the file and the place in it.
    """
    return documents.read(path, Objectives)


def judge(objectives: Objectives, report: Report) -> list[Verdict]:
    """Return a verdict on each objective. What was not measured is not met."""
    return [_judge(objective, report) for objective in objectives.objectives]


def _judge(objective: Objective, report: Report) -> Verdict:
    value = _value(objective, report)
    if value is None:
        return Verdict(str(objective), met=False, found="not measured")
    low = objective.at_least is None or value >= objective.at_least
    high = objective.at_most is None or value <= objective.at_most
    return Verdict(str(objective), met=low and high, found=f"{value:.4g}")


def _value(objective: Objective, report: Report) -> float | None:
    if objective.call is None:
        return metrics.of(report)[objective.metric]
    for call in report.calls:
        if call.name == objective.call and call.arrivals:
            return metrics.of_call(call)[objective.metric]
    return None
