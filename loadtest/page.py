"""report.html: one file that needs nothing beside it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from loadtest import figures, inside_cards, metrics
from loadtest.cells import Cell, table
from loadtest.compare import Row
from loadtest.report import CallStats, Report, Step
from loadtest.slo import Verdict

STYLE = Path(__file__).with_name("page.css")
PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")


@dataclass(frozen=True, slots=True)
class Appendix:
    """What is shown beside a report: verdicts, and a comparison with its caveats."""

    verdicts: Sequence[Verdict] = ()
    rows: Sequence[Row] = ()
    caveats: Sequence[str] = ()


def render(report: Report, appendix: Appendix) -> str:
    """Return the page."""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Load test: {escape(report.description)}</title>",
            f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body><main>",
            f"<h1>{escape(report.description)}</h1>",
            f"<p>{escape(_subtitle(report))}</p>",
            _banner(report, appendix),
            _tiles(report),
            f'<div class="grid">{"".join(_cards(report, appendix))}</div>',
            "</main></body></html>",
        )
    )


def _subtitle(report: Report) -> str:
    host = report.host
    return (
        f"{report.created_time} · {report.target} · {report.seconds:g} s measured · "
        f"{host['cpus']} CPUs, {host['processor']} · {host['system']} · "
        f"Python {host['python']}, grpcio {host['grpc']}"
    )


def _banner(report: Report, appendix: Appendix) -> str:
    problems = [
        *(f"invalid: {reason}" for reason in report.invalid),
        *(f"unexpected: {number} x {label}" for label, number in report.unexpected.items()),
        *(str(verdict) for verdict in appendix.verdicts if not verdict.met),
    ]
    if not problems:
        return f'<div class="banner good">Passed: {escape(_passed(report))}</div>'
    items = "".join(f"<li>{escape(problem)}</li>" for problem in (*problems, *report.examples))
    return f'<div class="banner bad">Failed<ul>{items}</ul></div>'


def _passed(report: Report) -> str:
    if not report.shed:
        return "every outcome was the expected one."
    shed = ", ".join(f"{number:,} x {label}" for label, number in report.shed.items())
    return f"no answer was wrong. Of more than the server can do it shed {shed}."


def _tiles(report: Report) -> str:
    found, latency = metrics.of(report), report.total.latency_ms
    cpu = found["server_cpu_us_per_payload"]
    tiles = [
        (f"{metrics.offered_rate(report):,.0f} /s", "calls offered"),
        (f"{found['achieved_share'] or 0:.1%}", "of the offered rate achieved"),
        (f"{found['payloads_per_second'] or 0:,.0f} /s", "payloads achieved"),
        *((f"{latency[name]:.2f} ms", name) for name in ("p50", "p99", "p99.9")),
        (f"{cpu:,.0f} µs" if cpu else "not watched", "server CPU a payload"),
        (f"{report.lag_ms['p99']:.2f} ms", "generator lag, p99"),
    ]
    if report.knee:
        tiles.insert(0, (f"{report.knee:,.0f} /s", "knee: the last rate before the bend"))
    body = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for value, name in tiles
    )
    return f'<div class="tiles">{body}</div>'


def _cards(report: Report, appendix: Appendix) -> Iterable[str]:
    if report.steps:
        yield _card("Sweep: latency at each rate", figures.sweep_latency(report))
        yield _card("Sweep: achieved rate", figures.sweep_rate(report))
        yield _card("Sweep: steps; what follows is the last good one", _steps(report), wide=True)
    yield _card("Latency over time, by the second in which calls were due", figures.latency(report))
    yield _card("Inside the server: queue, token and disk", inside_cards.times(report))
    yield _card("Latency by percentile", figures.percentiles(report))
    yield _card("Inside the server: under way", inside_cards.under_way(report))
    yield _card("Rate", figures.rate(report))
    yield _card("Server CPU", figures.cpu(report))
    yield _card("Outcomes of payloads", figures.outcomes(report))
    yield _card("Inside the server: refusals and failures", inside_cards.refusals(report))
    yield _card("Generator lag: how late calls were sent", figures.lag(report))
    yield _card("How it was checked", f"<p>{escape(_checking(report))}</p>")
    yield _card("Calls", _calls(report), wide=True)
    if report.inside:
        yield _card("Inside the server: by key", inside_cards.by_key(report.inside), wide=True)
    if appendix.verdicts:
        yield _card("Objectives", _objectives(appendix.verdicts))
    if appendix.rows:
        notes = "".join(f'<p class="warn">{escape(caveat)}</p>' for caveat in appendix.caveats)
        yield _card("Compared with the earlier run", notes + _comparison(appendix.rows))
    profile = escape(json.dumps(report.profile, indent=1))
    yield _card("Profile", f"<details><summary>as run</summary><pre>{profile}</pre></details>")


def _card(title: str, body: str, *, wide: bool = False) -> str:
    style = "card wide" if wide else "card"
    return f'<section class="{style}"><h2>{escape(title)}</h2>{body}</section>'


def _calls(report: Report) -> str:
    titles = ("calls", "payloads", *(f"{name} ms" for name in PERCENTILES))
    header = [
        *(Cell(title) for title in ("call", "method", "expected")),
        *(Cell(title, number=True) for title in titles),
        Cell("outcomes"),
    ]
    return table(header, (_call(call) for call in (*report.calls, report.total)))


def _call(call: CallStats) -> list[Cell]:
    wrong = call.expect and metrics.wrong(call)
    outcomes = ", ".join(f"{name} {number:,}" for name, number in call.outcomes.items())
    return [
        Cell(call.name),
        Cell(call.method),
        Cell(call.expect),
        Cell(f"{call.arrivals:,}", number=True),
        Cell(f"{call.payloads:,}", number=True),
        *(Cell(f"{call.latency_ms[name]:.2f}", number=True) for name in PERCENTILES),
        Cell(outcomes, style="bad" if wrong else ""),
    ]


def _steps(report: Report) -> str:
    titles = ("calls/s", "achieved", *(f"{name} ms" for name in PERCENTILES), "server cores")
    header = [*(Cell(title, number=True) for title in titles), Cell("")]
    return table(header, map(_step, report.steps))


def _step(step: Step) -> list[Cell]:
    cores = "" if step.server_cores is None else f"{step.server_cores:.2f}"
    figures_of_step = [
        f"{step.rate:,.0f}",
        f"{step.achieved_share:.1%}",
        *(f"{step.latency_ms[name]:.2f}" for name in PERCENTILES),
        cores,
    ]
    verdict = Cell(step.bend or "ok", style="bad" if step.bend else "good")
    return [*(Cell(figure, number=True) for figure in figures_of_step), verdict]


def _objectives(verdicts: Sequence[Verdict]) -> str:
    header = [Cell("objective"), Cell("found", number=True), Cell("")]
    rows = (
        [
            Cell(verdict.objective),
            Cell(verdict.found, number=True),
            Cell("pass", style="good") if verdict.met else Cell("FAIL", style="bad"),
        ]
        for verdict in verdicts
    )
    return table(header, rows)


def _comparison(rows: Sequence[Row]) -> str:
    titles = ("earlier", "now", "ratio", "95 % bounds of noise")
    header = [Cell("metric"), *(Cell(title, number=True) for title in titles), Cell("")]
    styles = {"better": "good", "worse": "bad"}
    return table(
        header,
        (
            [
                Cell(row.metric),
                *(Cell(text, number=True) for text in comparison_texts(row)),
                Cell(row.verdict, style=styles.get(row.verdict, "")),
            ]
            for row in rows
        ),
    )


def comparison_texts(row: Row) -> tuple[str, str, str, str]:
    """Return a row's figures as text: old, new, ratio, bounds."""
    bounds = "" if row.low is None or row.high is None else f"{row.low:.2f} to {row.high:.2f}"
    return f"{row.old:.4g}", f"{row.new:.4g}", f"{row.ratio:.2f}", bounds


def _checking(report: Report) -> str:
    sample = "none" if not report.verified_share else f"{report.verified_share:.0%}"
    return (
        f"{report.verified:,} signatures verified against the public keys after the run "
        f"({sample} of them all). Each payload's outcome was compared with the expected one, "
        "each answer's request id, key and replay mark were checked, and no request was "
        "answered twice or not at all unless the banner says so."
    )
