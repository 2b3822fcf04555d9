"""The plots of a report."""

from loadtest import histogram
from loadtest.inside import InsideSecond
from loadtest.plots import Plot, Series, bars, lines
from loadtest.report import Report, Second
from loadtest.scale import text

PERCENTILES = ("p50", "p90", "p99", "max")
GREY = 5
MOST_PROCESSES = 4  # more lines than that nobody can tell apart


def latency(report: Report) -> str:
    """Draw the percentiles of each second."""
    series = [
        Series(name, [(second.second, second.latency_ms[name]) for second in _sent(report)], colour)
        for colour, name in enumerate(PERCENTILES)
    ]
    return over_time(report, series, "ms", log_y=True)


def percentiles(report: Report) -> str:
    """Draw the whole distribution: each decade of the x axis is one more nine."""
    calls = [report.total, *(call for call in report.calls if len(report.calls) > 1)]
    series = [
        Series(
            call.name,
            [(1 / longer, value) for longer, value in histogram.merged([call.histogram]).curve()],
            colour,
        )
        for colour, call in enumerate(calls[:4])
    ]
    return lines(Plot(series, "percentile", "ms", log_x=True, log_y=True, x_text=_nines))


def _nines(one_in: float) -> str:
    return f"{100 - 100 / one_in:.6g} %" if str(one_in).strip("0.") == "1" else ""


def rate(report: Report) -> str:
    """Draw what was due and what ended in each second."""
    # A few late answers are no plunge of the rate; a queue that took seconds to drain is shown.
    seconds = report.timeline if report.overrun_seconds > 1 else _sent(report)
    offered = [(second.second, float(second.due)) for second in seconds]
    completed = [(second.second, float(second.completed)) for second in seconds]
    series = [Series("offered", offered, GREY, dashed=True), Series("completed", completed, 1)]
    return over_time(report, series, "calls/s")


def outcomes(report: Report) -> str:
    """Draw how many payloads ended how; red is what nobody expected."""
    expected = {call.expect for call in report.calls}
    rows = [
        (name, float(number), 0 if name in expected else 3)
        for name, number in report.total.outcomes.items()
    ]
    return bars(rows)


def lag(report: Report) -> str:
    """Draw how late the generator sent."""
    found = [(second.second, second.lag_p99_ms) for second in _sent(report)]
    return over_time(report, [Series("lag p99", found, 4)], "ms")


def cpu(report: Report) -> str:
    """Draw the CPU time of the server, and of each of its processes where it tells."""
    found = [
        (second.second, second.server_cores)
        for second in report.timeline
        if second.server_cores is not None
    ]
    if not found:
        return "<p>Not watched: neither --pid nor --metrics was given.</p>"
    return over_time(report, [Series("server", found, 2), *_processes(report)], "cores")


def _processes(report: Report) -> list[Series]:
    seconds = inside_seconds(report)
    names = sorted({name for second in seconds for name in second.cores})
    return [
        Series(
            name, [(item.second, item.cores[name]) for item in seconds if name in item.cores], place
        )
        for place, name in enumerate(names[:MOST_PROCESSES] if len(names) > 1 else ())
    ]


def sweep_latency(report: Report) -> str:
    """Draw the latency of each step over its rate."""
    series = [
        Series(name, [(step.rate, step.latency_ms[name]) for step in report.steps], colour)
        for colour, name in enumerate(PERCENTILES)
    ]
    marks = [(report.knee, f"knee {report.knee:,.0f}/s")] if report.knee else []
    return lines(Plot(series, "offered, calls/s", "ms", log_y=True, marks=marks))


def sweep_rate(report: Report) -> str:
    """Draw what was achieved over what was offered."""
    offered = [(step.rate, step.rate) for step in report.steps]
    achieved = [(step.rate, step.rate * step.achieved_share) for step in report.steps]
    series = [Series("offered", offered, GREY, dashed=True), Series("achieved", achieved, 1)]
    return lines(Plot(series, "offered, calls/s", "calls/s"))


def over_time(report: Report, series: list[Series], unit: str, *, log_y: bool = False) -> str:
    """Draw lines over the seconds of a run; what is not measured is darker."""
    return lines(
        Plot(series, "seconds", unit, log_y=log_y, shaded=_unmeasured(report), x_text=text)
    )


def inside_seconds(report: Report) -> list[InsideSecond]:
    """Return what the server said of the seconds that are drawn; it is read a little longer."""
    last = max((second.second for second in _sent(report)), default=0)
    return [item for item in report.inside.seconds if item.second <= last] if report.inside else []


def _sent(report: Report) -> list[Second]:
    return [second for second in report.timeline if second.due]


def _unmeasured(report: Report) -> list[tuple[float, float]]:
    return [
        (second.second - 0.5, second.second + 0.5)
        for second in report.timeline
        if not second.measured and (second.due or report.overrun_seconds > 1)
    ]
