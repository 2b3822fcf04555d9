"""Measures what the service costs beside its token, and whether that is what it must be.

The figures are ratios of loads that take turns within one run, so that they hold
on another machine, too. Exit 1: a figure missed its bound, or is more than 15 %
worse than in the last release's file; or a benchmark could not be done.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from loadtest import ending, live, report
from loadtest.bench import gate, growth, latency, outcome, ratios, steady
from loadtest.bench.calm import Calm
from loadtest.bench.growth import Growth, Range
from loadtest.bench.outcome import Outcome
from loadtest.bench.ratios import Bench
from loadtest.bench.sample import Sample
from loadtest.errors import LoadtestError

OUT = Path("build/bench.json")
BASELINE = Path(__file__).parents[1] / "baseline.json"
PARTS = ("ratios", "latency", "growth", "steady")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        rounds: of everything, but for the search for knees.
        seconds: of each load.
        repeats: of the calls alone that count, in each round.
        extent: how far growth goes.
        steady_seconds: of the load at 70 % of the knee.
    """

    rounds: int
    seconds: float
    repeats: int
    extent: Range
    steady_seconds: float


FULL = Size(3, 2.0, 6, Range(), 15)
QUICK = Size(1, 0.7, 1, growth.QUICK, 5)


class Run:
    """The benchmarks, with everything that they make in ``directory``."""

    def __init__(self, size: Size, directory: Path, console: Console) -> None:
        self._size = size
        self._directory = directory
        self._console = console
        self._calm = Calm()
        self.outcome = Outcome(report.host())

    def measure(self, parts: Iterable[str]) -> None:
        """Measure some parts.

        Raises:
            LoadtestError: something could not be measured.
        """
        measures = {
            "ratios": self._ratios,
            "latency": self._latency,
            "growth": self._growth,
            "steady": self._steady,
        }
        with ExitStack() as stack:
            bench = ratios.opened(stack, self._directory, two="ratios" in parts)
            for part in parts:
                measures[part](bench)

    def _ratios(self, bench: Bench) -> None:
        for number in range(self._size.rounds):
            samples = ratios.one_round(bench, self._size.seconds)
            self.outcome.rounds.append(self._shown(number, samples))
        self.outcome.figures += ratios.figures(self.outcome.rounds)

    def _latency(self, bench: Bench) -> None:
        size = self._size
        rounds = [latency.one_round(bench, size.repeats, self._calm) for _ in range(size.rounds)]
        self.outcome.latencies += [times.calm for times in rounds]
        self.outcome.every_latency += [times.every for times in rounds]
        self.outcome.figures += latency.figures(rounds)
        self.outcome.further |= latency.further(rounds, self._calm)

    def _growth(self, bench: Bench) -> None:
        with ExitStack() as stack:
            everything = Growth(stack, bench, self._directory, self._size.extent, self._calm)
            for number in range(self._size.rounds):
                samples = everything.one_round(self._size.seconds)
                self.outcome.growth.append(self._shown(number, samples))
            self.outcome.figures += everything.figures(self.outcome.growth)

    def _steady(self, bench: Bench) -> None:
        view = live.Lines(self._console)
        size = self._size
        figures, further = steady.measure(bench, view, size.rounds, size.steady_seconds)
        self.outcome.figures += figures
        self.outcome.further |= further

    def _shown(self, number: int, samples: Iterable[tuple[str, Sample]]) -> dict[str, Sample]:
        found = {}
        for name, sample in samples:
            found[name] = sample
            line = f"{name:34} {sample.cpu_us:7.0f} µs {sample.rate:8.0f} a second"
            self._console.print(f"round {number + 1}  {line}", highlight=False)
        return found


def main() -> None:
    """Run the command line."""
    given = _parser().parse_args()
    usual = QUICK if given.quick else FULL
    size = replace(
        usual, rounds=given.rounds or usual.rounds, seconds=given.seconds or usual.seconds
    )
    console = Console()
    ending.as_by_hand()
    try:
        found = outcome.read(given.judge) if given.judge else _measured(size, given, console)
        good = _conclude(found, given, console)
    except LoadtestError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: stopped; nothing was written")
    sys.exit(0 if good else 1)


def _measured(size: Size, given: argparse.Namespace, console: Console) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="signgate-bench-") as directory:
        _spread(directory)
        run = Run(size, Path(directory), console)
        run.measure(given.only or PARTS)
    outcome.write(run.outcome, given.out)
    console.print(f"written: {given.out}")
    return run.outcome


def _spread(directory: str) -> None:
    """Have what is made in a directory lie apart from it, where the file system knows how.

    Without a journal, ext4 passes over each inode nearby that was freed in the last minutes, by
    tests or by an earlier run, whenever a file is made: up to 2 ms for each tile of the log.
    """
    if chattr := shutil.which("chattr"):
        command = (chattr, "+T", directory)
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - all of it is ours


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; may be repeated")
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    parser.add_argument("--seconds", type=float, help="of each load, instead of the usual")
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file, build/bench.json")
    parser.add_argument("--judge", type=Path, help="judge such a file again, and measure nothing")
    parser.add_argument(
        "--baseline", type=Path, default=BASELINE, help="the last release's file to compare with"
    )
    return parser


def _conclude(found: Outcome, given: argparse.Namespace, console: Console) -> bool:
    outcome.show(found, console)
    good = all(figure.held for figure in found.figures)
    if given.baseline.exists():
        changes = gate.compare(outcome.read(given.baseline).figures, found.figures)
        outcome.show_changes(changes, console)
        good = good and not any(change.lost for change in changes)
    return good
