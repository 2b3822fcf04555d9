"""The signer and the load generator under rates that do not wait: knees, and 70 % of one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest import knee, live, metrics, peers, profile, runner
from loadtest.bench.ratios import CLIENT_CPU, ONE, Bench
from loadtest.bench.subjects import P256
from loadtest.bench.verdict import Figure
from loadtest.cli import CALIBRATION
from loadtest.profile import Profile, Sweep
from loadtest.report import Report

ORDERS = CALIBRATION.with_name("steady-orders.toml")
SHARE = 0.7  # of the knee
GENERATOR = Sweep(start=2000, factor=1.4, steps=8, seconds=2, refinements=3)
SIGNER = Sweep(start=200, factor=1.3, steps=14, seconds=3)
UNEXPECTED = "unexpected_share"
BOUNDS = {"p99_over_p50": 4.0, "p99.9_over_p50": 10.0, UNEXPECTED: 0.0}
ENOUGH = 3.0  # the generator's rate over the signer's
CLOSED_SECONDS = 2.0
SENDERS = 2  # processes of the generator alone


def measure(
    bench: Bench, view: live.View, rounds: int, seconds: float
) -> tuple[list[Figure], dict[str, float]]:
    """Return what must hold, and further figures by name.

    The signer's knee is looked for once, and the load at 70 % comes ``rounds`` times: a stall of
    the machine in one of them says nothing, an error in any does. What the generator and the
    signer can do at most is looked for as often.

    Against the signer the generator has one core and the signer the other one. Alone it
    has both, as the signer's clients have elsewhere, but for what its echo takes.

    Raises:
        LoadtestError: a run could not be done.
    """
    target = bench.targets[ONE]
    with peers.quick_echo(bench.directory / "echo") as echo:
        generator = _loaded(CALIBRATION, GENERATOR, SENDERS)
        alone = [knee.find(generator, echo, view, 0.0) for _ in range(rounds)]
    orders = _loaded(ORDERS, SIGNER, 1)
    with _on(CLIENT_CPU):
        found = knee.find(orders, target, view, 0.0)
        top = found.knee or SIGNER.start
        step = SIGNER.model_copy(update={"seconds": seconds})
        load = orders.at_rate(top * SHARE, step)
        steady = [runner.run(load, target, view, 1.0) for _ in range(rounds)]
    figures = [tail(name, bound, steady) for name, bound in BOUNDS.items()]
    # The most that the signer does at all, which is more than it does without a queue.
    unary = bench.load_of(P256, "unary", ONE)
    signed = [bench.load(unary, CLOSED_SECONDS).rate for _ in range(rounds)]
    best = max(alone, key=_rate)
    figures.append(reach(list(map(_rate, alone)), [*signed, top]))
    return figures, {
        "knee, calls a second": top,
        "never waiting, calls a second": max(signed),
        **_figures("70 %", steady[-1]),
        "generator alone, calls a second": _rate(best),
        "generator alone, calls a second, in its worst round": min(map(_rate, alone)),
        **_figures("generator alone", best),
    }


def _rate(generator: Report) -> float:
    return generator.knee or GENERATOR.start


def reach(generator: Sequence[float], signer: Sequence[float]) -> Figure:
    """Return the most that the generator does over the most that the signer does.

    ``generator`` and ``signer`` are rates in calls a second. Nothing but a stall of the
    machine makes a rate smaller than what can be done, and nothing makes it larger.
    """
    shares = (max(generator) / max(signer),)
    return Figure("generator's rate over the signer's", shares, ENOUGH, rising=True)


def tail(name: str, bound: float, runs: Sequence[Report]) -> Figure:
    """Return one of ``BOUNDS`` as the runs have it."""
    values = tuple(metrics.of(run)[name] or 0.0 for run in runs)
    if name == UNEXPECTED:  # which no median may hide
        values = (max(values),)
    return Figure(f"70 % of the knee: {name}", values, bound, rising=False)


@contextmanager
def _on(cpu: int) -> Iterator[None]:
    """Stay on a core, and have all processes do so that are started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _loaded(path: Path, sweep: Sweep, workers: int) -> Profile:
    return profile.load(path).model_copy(update={"workers": workers, "sweep": sweep})


def _figures(name: str, report: Report) -> dict[str, float]:
    wanted = ("p50_ms", "p99_ms", "p99.9_ms", "lag_p99_ms", "generator_cpu_us_per_call")
    found = metrics.of(report)
    return {f"{name}: {metric}": found[metric] or 0.0 for metric in wanted}
