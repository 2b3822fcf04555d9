"""What a run of the benchmarks gives: build/bench.json, and tables in the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from loadtest.bench.gate import Change
from loadtest.bench.latency import Times
from loadtest.bench.ratios import Round
from loadtest.bench.verdict import Figure
from loadtest.errors import LoadtestError

VERSION = 1


@dataclass(slots=True)
class Outcome:
    """One run; what was not measured is empty.

    Attributes:
        host: the machine and its software.
        figures: what must hold.
        rounds: every sample of the ratios.
        growth: every sample of the cost against growth.
        latencies: medians of calls alone, while the machine was left alone.
        every_latency: the same, whenever it was.
        further: other figures by name.
    """

    host: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    growth: list[Round] = field(default_factory=list)
    latencies: list[Times] = field(default_factory=list)
    every_latency: list[Times] = field(default_factory=list)
    further: dict[str, float] = field(default_factory=dict)
    schema: int = VERSION


def write(outcome: Outcome, path: Path) -> None:
    """Write the file, and the directory that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=1))


def read(path: Path) -> Outcome:
    """Read a file.

    Raises:
        LoadtestError: there is none, or it is not one of this version.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Outcome)
    except OSError as error:
        raise LoadtestError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise LoadtestError(f"{path}: not of `make bench`: {error}") from None
    if found.schema != VERSION:
        raise LoadtestError(f"{path}: schema {found.schema}; this is version {VERSION}")
    return found


def show(outcome: Outcome, console: Console) -> None:
    """Print the samples of the last rounds, and every figure beside its bound."""
    for samples in (*outcome.rounds[-1:], *outcome.growth[-1:]):
        console.print(_samples(samples))
    if outcome.further:
        console.print(_further(outcome.further))
    console.print(table_of(outcome.figures))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def _samples(samples: Round) -> Table:
    title = "CPU of the measured side, and rate by the wall clock; last round"
    table = _table(title, "what", "µs each", "a second", "cores")
    for name, sample in samples.items():
        cores = sample.cpu_seconds / sample.seconds
        table.add_row(name, f"{sample.cpu_us:.0f}", f"{sample.rate:,.0f}", f"{cores:.2f}")
    return table


def _further(further: dict[str, float]) -> Table:
    table = _table("Further figures", "what", "value")
    for name, value in further.items():
        table.add_row(name, f"{value:,.3g}" if value < 1000 else f"{value:,.0f}")  # noqa: PLR2004 - four digits
    return table


def table_of(figures: Sequence[Figure]) -> Table:
    """Return every figure beside its bound."""
    title = "What must hold; medians of the rounds"
    table = _table(title, "figure", "value", "bound", "rounds", "")
    for figure in figures:
        rounds = " ".join(f"{value:.3g}" for value in figure.values)
        value = f"{figure.value:.3g} {figure.unit}".rstrip()
        table.add_row(figure.name, value, *_judged(figure, rounds))
    return table


def _judged(figure: Figure, rounds: str) -> tuple[str, str, str]:
    if figure.bound is None:
        return "", rounds, ""
    sign = "≥" if figure.rising else "≤"
    mark = "[green]held[/green]" if figure.held else "[red]missed[/red]"
    return f"{sign} {figure.bound:.3g}", rounds, mark


def show_changes(changes: Sequence[Change], console: Console) -> None:
    """Print the comparison with the last release."""
    table = _table("Against the last release", "figure", "gain", "chance", "")
    colours = {"lost": "red", "unsure": "yellow", "better": "green", "same": "default"}
    for change in changes:
        verdict = f"[{colours[change.verdict]}]{change.verdict}"
        table.add_row(change.name, f"{change.gain:.2f}", f"x {change.chance:.2f}", verdict)
    console.print(table)
