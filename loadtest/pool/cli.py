"""Measures the session pool alone, and whether that is what it must be.

The figures are ratios of measurements that take turns within one run. Run it on a quiet
machine. Exit 1: a figure missed its bound, or a measurement failed.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from loadtest import report
from loadtest.bench.outcome import table_of
from loadtest.bench.verdict import Figure
from loadtest.errors import LoadtestError
from loadtest.pool.figures import measure
from loadtest.pool.sides import Size

OUT = Path("build/pool.json")
FULL = Size(rounds=5, seconds=2.0)
QUICK = Size(rounds=1, seconds=0.5)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure, and what became of it."""

    figure: Figure
    value: float
    held: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: the machine with its software, and what must hold."""

    host: dict[str, str]
    verdicts: list[Verdict]


def write(figures: list[Figure], path: Path) -> None:
    """Write the file, and the directory that it is in."""
    verdicts = [Verdict(figure, figure.value, figure.held) for figure in figures]
    path.parent.mkdir(parents=True, exist_ok=True)
    found = msgspec.json.encode(Outcome(report.host(), verdicts))
    path.write_bytes(msgspec.json.format(found, indent=1))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.pool", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    parser.add_argument("--seconds", type=float, help="of each measurement, instead of the usual")
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file, build/pool.json")
    given = parser.parse_args()
    usual = QUICK if given.quick else FULL
    size = Size(given.rounds or usual.rounds, given.seconds or usual.seconds)
    console = Console()
    try:
        with tempfile.TemporaryDirectory(prefix="signgate-pool-") as directory:
            lines = lambda line: console.print(line, highlight=False)  # noqa: E731 - one use
            figures = list(measure(Path(directory), size, lines))
    except LoadtestError as error:
        sys.exit(f"pool: {error}")
    write(figures, given.out)
    console.print(table_of(figures))
    console.print(f"written: {given.out}")
    if not all(figure.held for figure in figures):
        sys.exit(1)
