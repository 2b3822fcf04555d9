"""What a run says at its end, on a terminal or in a log."""

from collections.abc import Iterator

from loadtest import metrics
from loadtest.page import Appendix, comparison_texts
from loadtest.report import CallStats, Report


def lines(report: Report, appendix: Appendix) -> Iterator[str]:
    """Yield the figures, the verdicts and the comparison, one line each."""
    found = metrics.of(report)
    yield ""
    yield _call(report.total)
    if len(report.calls) > 1:
        yield from map(_call, report.calls)
    yield (
        f"offered {metrics.offered_rate(report):,.0f} calls/s, "
        f"achieved {found['achieved_share']:.1%}, {found['payloads_per_second']:,.0f} payloads/s"
    )
    if cpu := found["server_cpu_us_per_payload"]:
        yield f"server CPU {metrics.server_cores(report):.2f} cores, {cpu:,.0f} us a payload"
    yield from _inside(report)
    yield (
        f"generator lag p99 {report.lag_ms['p99']:.2f} ms, max {report.lag_ms['max']:.2f} ms, "
        f"CPU {found['generator_cpu_us_per_call']:,.0f} us a call"
    )
    yield f"{report.verified:,} signatures verified"
    if report.steps:
        yield f"knee: {report.knee:,.0f} calls/s" if report.knee else "knee: below the first step"
    yield from _verdicts(report, appendix)


def _inside(report: Report) -> Iterator[str]:
    if report.inside is None:
        yield "the server's queue and token were not read: its metrics have no address here"
        return
    for spread in report.inside.spreads:
        if not spread.key:
            times = "  ".join(f"{name} {value:.2f}" for name, value in spread.ms.items())
            yield f"server {spread.what:17} {times} ms   {spread.count:,}"
    refused = ", ".join(f"{name} {number:,}" for name, number in report.inside.refused.items())
    yield f"server refused: {refused or 'nothing'}"
    if report.inside.failures:
        yield f"note  {len(report.inside.failures)} readings of its metrics failed"


def _call(call: CallStats) -> str:
    latency = "  ".join(f"{name} {value:.2f}" for name, value in call.latency_ms.items())
    outcomes = ", ".join(f"{name} {number:,}" for name, number in call.outcomes.items())
    return f"{call.name:24} {latency} ms   {outcomes}"


def _verdicts(report: Report, appendix: Appendix) -> Iterator[str]:
    for row in appendix.rows:
        old, new, ratio, bounds = comparison_texts(row)
        noise = f" ({bounds})" if bounds else ""
        yield f"{row.metric:28} {old:>10} -> {new:>10}  x {ratio}{noise}  {row.verdict}"
    yield from (f"note  {caveat}" for caveat in appendix.caveats)
    yield from map(str, appendix.verdicts)
    for label, number in report.shed.items():
        yield f"shed  {number} x {label}"
    for label, number in report.unexpected.items():
        yield f"FAIL  unexpected: {number} x {label}"
    yield from (f"      {example}" for example in report.examples)
    yield from (f"INVALID  {reason}" for reason in report.invalid)
