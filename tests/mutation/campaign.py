"""Does a test fail for each mutant? ``python -m tests.mutation.campaign [MODULE …]``.

Prints the survivors of each module and its tally. The exit code is 1 when less than the
floor was killed.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import coverage
import pytest

from tests.mutation.clean import Clean, Runner
from tests.mutation.mutants import Module, Mutant
from tests.mutation.trial import KILLED, SURVIVED, UNREACHED, Live, begin

SOURCE = "policy"
FLOOR = 95  # per cent killed
SLOWEST = 0.5  # seconds of a test that is run against a mutant
SEED = 1


class Plan(NamedTuple):
    """What to try: modules by name, how many mutants of each, with which tests."""

    modules: list[str]
    tests: list[str]
    sample: int | None
    slowest: float
    jobs: int
    alone: bool


class Campaign:
    """A pytest plugin: in the place of its loop, the clean run and then the mutants."""

    def __init__(self, plan: Plan, measured: coverage.Coverage) -> None:
        self._plan = plan
        self._measured = measured
        self.tried = self.killed = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every test clean, then try the mutants module by module."""
        self._runner = Runner()
        session.config.pluginmanager.register(self._runner)
        self._clean = Clean(self._measured, self._runner, session.items)
        for name, why in self._clean.failed.items():
            _say(f"{why}\nfails without any mutant, and is left out: {name}")
        self._live = Live()
        for path in _files(self._plan.modules):
            self._module(Module(path))
        return True

    def _module(self, module: Module) -> None:
        mutants = module.mutants
        if self._plan.sample is not None and self._plan.sample < len(mutants):
            mutants = sorted(Random(SEED).sample(mutants, self._plan.sample))
        survivors = sorted(self._survivors(module, mutants))
        for mutant in survivors:
            _say(
                f"{module.path}:{mutant.lines.start} #{mutant.number}\n{module.difference(mutant)}"
            )
        self.tried += len(mutants)
        self.killed += len(mutants) - len(survivors)
        found = f"{len(mutants)} of {len(module.mutants)} mutants tried"
        _say(f"{module.name}: {found}, {len(survivors)} survived")

    def _survivors(self, module: Module, mutants: Sequence[Mutant]) -> Iterator[Mutant]:
        running: dict[int, Mutant] = {}
        for mutant in mutants:
            if len(running) == self._plan.jobs:
                yield from self._reap(module, running)
            running[self._begin(module, mutant)] = mutant
        while running:
            yield from self._reap(module, running)

    def _begin(self, module: Module, mutant: Mutant) -> int:
        items = self._running(module, mutant)
        seconds = sum(self._clean.seconds[item.nodeid] for item in items)
        return begin(self._live, self._runner, module, mutant, items, seconds)

    def _running(self, module: Module, mutant: Mutant) -> list[pytest.Item]:
        slowest = self._plan.slowest
        found = self._clean.running(module.path, mutant.lines, slowest)
        return found or self._clean.running(module.path, mutant.around, slowest)

    def _reap(self, module: Module, running: dict[int, Mutant]) -> Iterator[Mutant]:
        child, status = os.wait()
        mutant = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        if code < 0 or code == KILLED:
            return
        imported = code == UNREACHED or self._clean.imported(module.path, mutant.lines)
        if imported and self._plan.alone:
            items = self._running(module, mutant)
            code = _alone(module, mutant, [item.nodeid for item in items])
        if code in {SURVIVED, UNREACHED}:
            yield mutant


def _alone(module: Module, mutant: Mutant, tests: list[str]) -> int:
    if not tests:
        return SURVIVED
    command = [sys.executable, "-m", "tests.mutation.alone", str(module.path), str(mutant.number)]
    done = subprocess.run(
        command, input="\n".join(tests), text=True, check=False, capture_output=True
    )
    return done.returncode


def _files(names: Sequence[str]) -> list[Path]:
    """Find modules by name; one that ends in a star stands for all that begin so."""
    every = {_name(path): path for path in Path(SOURCE).rglob("*.py")}
    if not names:
        return sorted(every.values())
    return [every[name] for name in sorted(every) if any(_is(name, asked) for asked in names)]


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _is(name: str, asked: str) -> bool:
    return name.startswith(asked[:-1]) if asked.endswith("*") else name == asked


def _say(text: str) -> None:
    print(text, flush=True, file=sys.__stdout__)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", nargs="+", default=["tests/policy"], metavar="PATH")
    parser.add_argument("--sample", type=int, help="mutants of a module; all, without it")
    parser.add_argument("--slowest", type=float, default=SLOWEST, help="seconds of a test")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    parser.add_argument(
        "--alone",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="try again in a new process what survives and runs while modules are imported",
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="all, without any")
    options = parser.parse_args()
    plan = Plan(**vars(options))
    measured = coverage.Coverage(data_file=None, config_file=False, include=[f"{SOURCE}/*"])
    campaign = Campaign(plan, measured)
    measured.start()
    arguments = ["-q", "-p", "no:cacheprovider", "-n0", "--capture=sys", "-o", "timeout=0"]
    code = pytest.main([*arguments, *plan.tests], plugins=[campaign])
    if code != pytest.ExitCode.OK or not campaign.tried:
        return 2
    share = 100 * campaign.killed / campaign.tried
    _say(f"killed {campaign.killed} of {campaign.tried}, {share:.1f} %")
    return int(share < FLOOR)


if __name__ == "__main__":
    sys.exit(main())
