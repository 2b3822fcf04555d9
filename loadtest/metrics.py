"""The figures of a report by name, for objectives and comparisons."""

from collections.abc import Mapping

from loadtest.report import CallStats, Report

# Each metric with what it means; a higher value is worse, but for those in RISING.
METRICS: Mapping[str, str] = {
    "p50_ms": "half of the calls took at most this long",
    "p90_ms": "90 % of them",
    "p99_ms": "99 % of them",
    "p99.9_ms": "99.9 % of them",
    "max_ms": "the slowest call",
    "p99_over_p50": "how much longer the tail is than the typical call",
    "p99.9_over_p50": "the same, further out",
    "unexpected_share": "payloads whose outcome was not the expected one, over all",
    "achieved_share": "the rate of expected outcomes over the offered rate",
    "calls_per_second": "achieved",
    "payloads_per_second": "achieved",
    "lag_p99_ms": "how late the generator sent: its own fault",
    "server_cpu_us_per_payload": "CPU time of the server's processes",
    "generator_cpu_us_per_call": "CPU time of the generator, all phases",
    "queue_mean_ms": "a signature's wait for a session, by the server's own metrics",
    "queue_p99_ms": "the same, within the metrics' buckets",
    "token_mean_ms": "a signature's time at the token, by the server's own metrics",
    "token_p99_ms": "the same, within the metrics' buckets",
    "commit_mean_ms": "a transaction until it is durable, by the server's own metrics",
}
RISING = frozenset({"achieved_share", "calls_per_second", "payloads_per_second"})
OF_ONE_CALL = frozenset(name for name in METRICS if name.startswith(("p", "max")))
OF_ONE_CALL -= {"payloads_per_second"}
OF_ONE_CALL |= {"unexpected_share"}


def of(report: Report) -> dict[str, float | None]:
    """Return all metrics; None where it was not measured."""
    achieved = achieved_share(report)
    return {
        **of_call(report.total),
        "unexpected_share": _share(_unexpected(report), report.total.payloads),
        "achieved_share": achieved,
        "calls_per_second": report.total.arrivals / report.seconds * achieved,
        "payloads_per_second": report.total.payloads / report.seconds * achieved,
        "lag_p99_ms": report.lag_ms["p99"],
        "server_cpu_us_per_payload": _server_cpu(report),
        "generator_cpu_us_per_call": _share(
            report.generator_cpu_seconds * 1e6, sum(second.due for second in report.timeline)
        ),
        "queue_mean_ms": _inside(report, "queue", "mean"),
        "queue_p99_ms": _inside(report, "queue", "p99"),
        "token_mean_ms": _inside(report, "service", "mean"),
        "token_p99_ms": _inside(report, "service", "p99"),
        "commit_mean_ms": _inside(report, "commit", "mean"),
    }


def of_call(call: CallStats) -> dict[str, float | None]:
    """Return the metrics that one kind of call has."""
    latency = call.latency_ms
    return {
        **{f"{name}_ms": value for name, value in latency.items()},
        "p99_over_p50": _share(latency["p99"], latency["p50"]),
        "p99.9_over_p50": _share(latency["p99.9"], latency["p50"]),
        "unexpected_share": _share(wrong(call), call.payloads),
    }


def wrong(call: CallStats) -> int:
    """Return how many payloads of a call had another outcome than the expected one."""
    return sum(number for name, number in call.outcomes.items() if name != call.expect)


def _unexpected(report: Report) -> int:
    return sum(map(wrong, report.calls))


def offered_rate(report: Report) -> float:
    """Return the calls a second that were due."""
    return report.total.arrivals / report.seconds


def achieved_share(report: Report) -> float:
    """Return the rate of what came back as expected over the offered rate.

    Calls that end after the measured time stretch it: a queue that grows is not
    an achieved rate.
    """
    good = 1 - _share(_unexpected(report), report.total.payloads)
    return good * report.seconds / (report.seconds + report.overrun_seconds)


def server_cores(report: Report) -> float | None:
    """Return the CPU cores that the server kept busy in the measured seconds."""
    found = [
        second.server_cores
        for second in report.timeline
        if second.measured and second.server_cores is not None
    ]
    return sum(found) / len(found) if found else None


def _server_cpu(report: Report) -> float | None:
    cores = server_cores(report)
    measured = [second for second in report.timeline if second.measured]
    payloads = sum(second.payloads for second in measured)
    return cores * len(measured) * 1e6 / payloads if cores is not None and payloads else None


def _inside(report: Report, what: str, part: str) -> float | None:
    spread = report.inside.spread(what) if report.inside else None
    return spread.ms[part] if spread else None


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
