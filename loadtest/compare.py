"""Two runs side by side, as ratios with the noise that the runs show themselves.

The noise of a figure is taken from blocks of its own run: the standard error of
the logarithm over up to ten stretches of the measured time. That is what one
run can know; machines and days differ by more, which only several runs show.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadtest import metrics
from loadtest.report import Report, Second

BLOCKS = 10
FEWEST_BLOCKS = 4  # below, a deviation means nothing
# Two-sided 95 % points of Student's t, by the smaller number of blocks minus one.
STUDENT = {3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both runs.

    ``low`` and ``high`` bound the ratio new / old at 95 %; None where the runs
    are too short to tell. ``verdict`` is better, worse, same or unknown.
    """

    metric: str
    old: float
    new: float
    ratio: float
    low: float | None
    high: float | None
    verdict: str


def _cpu(second: Second) -> float:
    cores = second.server_cores
    return cores * 1e6 / second.payloads if cores is not None and second.payloads else 0.0


# The figures that each second has as well.
SERIES: dict[str, Callable[[Second], float]] = {
    "p50_ms": lambda second: second.latency_ms["p50"],
    "p90_ms": lambda second: second.latency_ms["p90"],
    "p99_ms": lambda second: second.latency_ms["p99"],
    "max_ms": lambda second: second.latency_ms["max"],
    "calls_per_second": lambda second: float(second.completed),
    "payloads_per_second": lambda second: float(second.payloads),
    "lag_p99_ms": lambda second: second.lag_p99_ms,
    "server_cpu_us_per_payload": _cpu,
}


def compare(old: Report, new: Report) -> list[Row]:
    """Return a row for each figure that both runs have and that is not zero."""
    before, after = metrics.of(old), metrics.of(new)
    return [
        _row(name, first, second, old, new)
        for name in metrics.METRICS
        if (first := before[name]) and (second := after[name])
    ]


def differences(old: Report, new: Report) -> list[str]:
    """Say what makes two runs hard to compare: another profile, another machine."""
    found = []
    if old.profile != new.profile:
        found.append("the profiles differ: the ratios compare different loads")
    if old.host != new.host:
        found.append("the machines or their software differ")
    if old.invalid or new.invalid:
        found.append("one of the runs is invalid: the generator was late")
    return found


def _row(name: str, old: float, new: float, before: Report, after: Report) -> Row:
    ratio = new / old
    spread = _spread(name, before, after)
    if spread is None:
        return Row(name, old, new, ratio, None, None, "unknown")
    low, high = ratio / spread, ratio * spread
    return Row(name, old, new, ratio, low, high, _verdict(name, low, high))


def _verdict(name: str, low: float, high: float) -> str:
    if low <= 1 <= high:
        return "same"
    return "better" if (low > 1) == (name in metrics.RISING) else "worse"


def _spread(name: str, old: Report, new: Report) -> float | None:
    """Return the factor by which chance alone may move the ratio, at 95 %."""
    series = SERIES.get(name)
    if series is None:
        return None
    blocks = [_blocks(report, series) for report in (old, new)]
    fewest = min(map(len, blocks))
    if fewest < FEWEST_BLOCKS:
        return None
    variance = sum(statistics.variance(logs) / len(logs) for logs in blocks)
    return math.exp(STUDENT[fewest - 1] * math.sqrt(variance))


def _blocks(report: Report, series: Callable[[Second], float]) -> list[float]:
    values = [series(second) for second in report.timeline if second.measured]
    logs = [math.log(value) for value in values if value > 0]
    number = min(BLOCKS, len(logs))
    return [statistics.fmean(block) for block in _split(logs, number)] if number else []


def _split(values: Sequence[float], number: int) -> list[Sequence[float]]:
    bounds = [place * len(values) // number for place in range(number + 1)]
    return [values[start:end] for start, end in pairwise(bounds)]
