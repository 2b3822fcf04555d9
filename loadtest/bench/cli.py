"""Measures what the service costs beside its token, and whether that is what it must be.

The figures are ratios of loads that take turns within one run, so that they hold
on another machine, too. Exit 1: a figure missed its bound, or a benchmark failed.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from loadtest import report
from loadtest.bench import outcome, ratios
from loadtest.bench.outcome import Outcome
from loadtest.bench.ratios import Round
from loadtest.errors import LoadtestError

OUT = Path("build/bench.json")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, and seconds of each load."""

    rounds: int
    seconds: float


FULL = Size(rounds=3, seconds=2.0)
QUICK = Size(rounds=1, seconds=1.0)


def measure(size: Size, directory: Path, console: Console) -> Outcome:
    """Run the benchmarks with everything they make in ``directory``.

    Raises:
        LoadtestError: something could not be measured.
    """
    rounds: list[Round] = []
    with ExitStack() as stack:
        bench = ratios.opened(stack, directory)
        for number in range(size.rounds):
            samples: Round = {}
            for name, sample in ratios.one_round(bench, size.seconds):
                samples[name] = sample
                console.print(
                    f"round {number + 1}  {name:34} {sample.cpu_us:7.0f} µs "
                    f"{sample.rate:8.0f} a second",
                    highlight=False,
                )
            rounds.append(samples)
    return Outcome(report.host(), rounds, ratios.figures(rounds))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    parser.add_argument("--seconds", type=float, help="of each load, instead of the usual")
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file, build/bench.json")
    given = parser.parse_args()
    usual = QUICK if given.quick else FULL
    size = Size(given.rounds or usual.rounds, given.seconds or usual.seconds)
    console = Console()
    try:
        with tempfile.TemporaryDirectory(prefix="signgate-bench-") as directory:
            found = measure(size, Path(directory), console)
    except LoadtestError as error:
        sys.exit(f"bench: {error}")
    outcome.write(found, given.out)
    outcome.show(found, console)
    console.print(f"written: {given.out}")
    if not all(figure.held for figure in found.figures):
        sys.exit(1)
