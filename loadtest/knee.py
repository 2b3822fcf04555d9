"""Goes up the rate, one short run a step, until the latency bends or the server falls behind."""

import math
from collections.abc import Sequence
from dataclasses import replace

from loadtest import metrics, runner
from loadtest.checks import OVERLOAD
from loadtest.errors import LoadtestError
from loadtest.live import View
from loadtest.profile import Profile, Sweep
from loadtest.report import Report, Step
from loadtest.target import Target


def find(profile: Profile, target: Target, view: View, verify: float = 1.0) -> Report:
    """Return the report of the last step before the knee, with all steps in it.

    Each step is a run of its own, so that no queue is left from the one before.
    A wrong answer ends the sweep with that step's report; too few answers are
    what a sweep looks for.

    Raises:
        LoadtestError: the profile has no sweep, or a run could not be done.
    """
    sweep = profile.sweep
    if sweep is None:
        raise LoadtestError("the profile has no [sweep]")
    climb = _Climb(profile, sweep, target, view, verify)
    rate = sweep.start
    for _ in range(sweep.steps):
        if climb.take(rate).bend:
            break
        rate *= sweep.factor
    for _ in range(sweep.refinements):
        good, bad = climb.bounds
        if not good or not bad or climb.wrong:
            break
        climb.take(math.sqrt(good * bad))
    steps = sorted(climb.steps, key=lambda step: step.rate)
    return replace(climb.best, steps=steps, knee=climb.bounds[0] or None)


class _Climb:
    """The steps so far, and the report of the best of them."""

    best: Report

    def __init__(
        self, profile: Profile, sweep: Sweep, target: Target, view: View, verify: float
    ) -> None:
        self._profile = profile
        self._sweep = sweep
        self._target = target
        self._view = view
        self._verify = verify
        self.steps: list[Step] = []
        self.wrong = False

    @property
    def bounds(self) -> tuple[float, float]:
        """The highest good rate and the lowest above it that was not; 0 where there is none."""
        bad = min((step.rate for step in self.steps if step.bend), default=0.0)
        return max((step.rate for step in self.steps if not step.bend), default=0.0), bad

    def take(self, rate: float) -> Step:
        """Run one step."""
        wanted = self._profile.at_rate(rate, self._sweep)
        report = runner.run(wanted, self._target, self._view, self._verify)
        step = step_of(rate, report, self.steps, self._sweep)
        self.wrong = _is_wrong(report)
        if self.wrong or not self.steps or (not step.bend and rate > self.bounds[0]):
            self.best = report
        self.steps.append(step)
        self._view.say(_line(step))
        return step


def step_of(rate: float, report: Report, before: Sequence[Step], sweep: Sweep) -> Step:
    """Judge one step by those before it."""
    share = metrics.achieved_share(report)
    latency = report.total.latency_ms
    cores = metrics.server_cores(report)
    lowest = min((step.latency_ms["p99"] for step in before), default=latency["p99"])
    if _is_wrong(report):
        bend = "wrong answers"
    elif report.invalid:
        bend = "the generator's own limit, not the server's"
    elif share < sweep.achieved:
        bend = f"achieved {share:.0%} of the offered rate"
    elif latency["p99"] > max(lowest * sweep.bend, sweep.bend_ms):
        bend = f"p99 is {latency['p99'] / lowest:.1f} times the lowest"
    else:
        bend = ""
    return Step(rate, share, latency, cores, bend)


def _is_wrong(report: Report) -> bool:
    return any(label.partition(": ")[2] not in OVERLOAD for label in report.unexpected)


def _line(step: Step) -> str:
    mark = f"knee passed: {step.bend}" if step.bend else "ok"
    cores = "" if step.server_cores is None else f"  server {step.server_cores:.2f} cores"
    return (
        f"{step.rate:9.0f} /s  achieved {step.achieved_share:6.1%}  "
        f"p50 {step.latency_ms['p50']:8.2f} ms  p99 {step.latency_ms['p99']:8.2f} ms{cores}  {mark}"
    )
