"""The signer and the load generator under rates that do not wait: knees, and 70 % of one."""

from pathlib import Path

from loadtest import knee, live, metrics, peers, profile, runner
from loadtest.bench.verdict import Figure
from loadtest.cli import CALIBRATION
from loadtest.profile import Profile, Sweep
from loadtest.report import Report
from loadtest.target import Target

ORDERS = CALIBRATION.with_name("steady-orders.toml")
SHARE = 0.7  # of the knee
GENERATOR = Sweep(start=1000, factor=1.5, steps=7, seconds=2)
SIGNER = Sweep(start=200, factor=1.3, steps=12, seconds=3)
STEADY_SECONDS = 15
BOUNDS = {"p99_over_p50": 4.0, "p99.9_over_p50": 10.0, "unexpected_share": 0.0}
ENOUGH = 3.0  # the generator's rate over the signer's


def measure(
    target: Target, directory: Path, view: live.View, *, seconds: float = STEADY_SECONDS
) -> tuple[list[Figure], dict[str, float]]:
    """Return what must hold, and further figures by name.

    Raises:
        LoadtestError: a run could not be done.
    """
    with peers.echo(directory / "echo", plain=True) as echo:
        alone = knee.find(_loaded(CALIBRATION, GENERATOR), echo, view, 0.0)
    orders = _loaded(ORDERS, SIGNER)
    found = knee.find(orders, target, view, 0.0)
    top = found.knee or SIGNER.start
    step = SIGNER.model_copy(update={"seconds": seconds})
    steady = runner.run(orders.at_rate(top * SHARE, step), target, view, 1.0)
    figures = [
        Figure(f"70 % of the knee: {name}", (metrics.of(steady)[name] or 0.0,), bound, rising=False)
        for name, bound in BOUNDS.items()
    ]
    rate = alone.knee or GENERATOR.start
    figures.append(Figure("generator's rate over the signer's", (rate / top,), ENOUGH, rising=True))
    return figures, {"knee, calls a second": top, **_figures("70 %", steady)} | {
        "generator alone, calls a second": rate,
        **_figures("generator alone", alone),
    }


def _loaded(path: Path, sweep: Sweep) -> Profile:
    return profile.load(path).model_copy(update={"workers": 1, "sweep": sweep})


def _figures(name: str, report: Report) -> dict[str, float]:
    wanted = ("p50_ms", "p99_ms", "p99.9_ms", "lag_p99_ms")
    found = metrics.of(report)
    return {f"{name}: {metric}": found[metric] or 0.0 for metric in wanted}
