"""What a run of the benchmarks gives: build/bench.json, and a table in the terminal."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from loadtest.bench.ratios import Round
from loadtest.bench.verdict import Figure
from loadtest.errors import LoadtestError

VERSION = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run.

    Attributes:
        host: the machine and its software.
        rounds: every sample of the ratios.
        figures: what must hold.
    """

    host: dict[str, str]
    rounds: list[Round]
    figures: list[Figure]
    schema: int = field(default=VERSION)


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
    """Print the samples of the last round, and every figure beside its bound."""
    console.print(_samples(outcome.rounds[-1]))
    console.print(table_of(outcome.figures))


def _samples(samples: Round) -> Table:
    table = Table(title="CPU of the measured side, and rate by the wall clock; last round")
    for column in ("what", "µs each", "a second", "cores"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, sample in samples.items():
        cores = sample.cpu_seconds / sample.seconds
        table.add_row(name, f"{sample.cpu_us:.0f}", f"{sample.rate:,.0f}", f"{cores:.2f}")
    return table


def table_of(figures: list[Figure]) -> Table:
    """Lay out every figure beside its bound."""
    table = Table(title="What must hold; medians of the rounds")
    for column in ("figure", "value", "bound", "rounds", ""):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        rounds = " ".join(f"{value:.3g}" for value in figure.values)
        sign = "≥" if figure.rising else "≤"
        mark = "[green]held[/green]" if figure.held else "[red]missed[/red]"
        unit = f" {figure.unit}" if figure.unit else ""
        value = f"{figure.value:.3g}{unit}"
        table.add_row(figure.name, value, f"{sign} {figure.bound:.3g}", rounds, mark)
    return table
