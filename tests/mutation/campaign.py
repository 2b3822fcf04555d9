"""Does a test fail for each mutant? ``python -m tests.mutation.campaign [MODULE …]``.

Prints the survivors of each module and its tally. The exit code is 1 when less than the
floor was killed.
"""

import argparse
import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import coverage
import pytest

from tests.mutation.clean import Clean
from tests.mutation.mutants import Module, Mutant
from tests.mutation.runner import Runner
from tests.mutation.trial import KILLED, UNREACHED, Child, Live, Trial, begin

SOURCE = "policy"
FLOOR = 95  # per cent killed
SECONDS = 5  # of tests for a mutant
BATCH = 16  # mutants of a process
SEED = 1
_NO_TESTS = pytest.ExitCode.NO_TESTS_COLLECTED


class Plan(NamedTuple):
    """What to try: modules by name, how many mutants of each, with which tests."""

    modules: list[str]
    tests: list[str]
    sample: int | None
    seconds: float
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
        codes = {path: path.read_text() for path in _files(self._plan.modules)}  # as imported
        self._runner = Runner()
        session.config.pluginmanager.register(self._runner)
        self._clean = Clean(self._measured, self._runner, session.items)
        for name, why in self._clean.failed.items():
            _say(f"{why}\nfails without any mutant, and is left out: {name}")
        self._live = Live()
        for path, code in codes.items():
            self._module(Module(path, code))
        return True

    def _module(self, module: Module) -> None:
        mutants = self._wanted(module)
        if self._plan.sample is not None and self._plan.sample < len(mutants):
            mutants = sorted(Random(SEED).sample(mutants, self._plan.sample))
        survivors = sorted(self._survivors(module, mutants))
        for mutant in survivors:
            _say(f"{module.path}:{mutant.lines.start} #{mutant.number}")
            _say(module.difference(mutant))
        self.tried += len(mutants)
        self.killed += len(mutants) - len(survivors)
        found = f"{len(mutants)} of {len(module.mutants)} mutants tried"
        _say(f"{module.name}: {found}, {len(survivors)} survived")

    def _wanted(self, module: Module) -> list[Mutant]:
        """Return the mutants whose numbers were asked for, or all."""
        for asked in self._plan.modules:
            name, _, numbers = asked.partition("#")
            if name == module.name and numbers:
                return [module.mutants[int(number)] for number in numbers.split(",")]
        return module.mutants

    def _survivors(self, module: Module, mutants: Sequence[Mutant]) -> Iterator[Mutant]:
        waiting = [self._trial(module, mutant) for mutant in mutants]
        running: dict[int, Child] = {}
        while waiting or running:
            while waiting and len(running) < self._plan.jobs:
                child = begin(self._live, self._runner, module, waiting[:BATCH])
                del waiting[:BATCH]
                running[child.process] = child
            child = running.pop(os.wait()[0])
            results, missed = child.outcome()
            waiting += missed
            for trial, result in zip(child.trials, results, strict=False):
                if result != KILLED and not self._killed_alone(module, trial, result):
                    yield trial.mutant

    def _trial(self, module: Module, mutant: Mutant) -> Trial:
        seconds = self._plan.seconds
        items = self._clean.running(module.path, mutant.lines, seconds)
        items = items or self._clean.running(module.path, mutant.around, seconds)
        return Trial(mutant, items, sum(self._clean.seconds[item.nodeid] for item in items))

    def _killed_alone(self, module: Module, trial: Trial, result: int) -> bool:
        imported = result == UNREACHED or self._clean.imported(module.path, trial.mutant.lines)
        if not (self._plan.alone and imported):
            return False
        # What is built at import is seen by tests that run none of its lines, and
        # maybe only by those of a module that imports it.
        tests = dict.fromkeys(item.nodeid for item in trial.items)
        paths = [module.path, *(path for path in _files([]) if _imports(path, module.name))]
        for path in paths:
            users = self._clean.running(path, None, self._plan.seconds / len(paths))
            tests |= dict.fromkeys(item.nodeid for item in users)
        return _alone(module, trial.mutant, list(tests))


def _alone(module: Module, mutant: Mutant, tests: list[str]) -> bool:
    """Whether the tests of a new process kill the mutant."""
    if not tests:
        return False
    command = [sys.executable, "-m", "tests.mutation.alone", str(module.path), str(mutant.number)]
    done = subprocess.run(
        command, input="\n".join(tests), text=True, check=False, capture_output=True
    )
    return done.returncode not in {pytest.ExitCode.OK, _NO_TESTS}


def _imports(path: Path, name: str) -> bool:
    """Whether a file imports a module, or something of it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{item.name}" for item in node.names)}
    return name in found


def _files(names: Sequence[str]) -> list[Path]:
    """Find modules by name; one that ends in a star stands for all that begin so."""
    every = {_name(path): path for path in Path(SOURCE).rglob("*.py")}
    if not names:
        return sorted(every.values())
    return [every[name] for asked in names for name in sorted(every) if _is(name, asked)]


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _is(name: str, asked: str) -> bool:
    asked, _, _ = asked.partition("#")
    return name.startswith(asked[:-1]) if asked.endswith("*") else name == asked


def _say(text: str) -> None:
    print(text, flush=True, file=sys.__stdout__)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", nargs="+", default=["tests/policy"], metavar="PATH")
    parser.add_argument("--sample", type=int, help="mutants of a module; all, without it")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of tests for a mutant")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    parser.add_argument(
        "--alone",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="try again in a new process what survives and runs while modules are imported",
    )
    parser.add_argument(
        "modules",
        nargs="*",
        metavar="MODULE",
        help="such as policy.engine, policy.compare* or policy.engine#12,14; all, without any",
    )
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
