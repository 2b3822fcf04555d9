"""The parts of a report that show the run as the server saw it."""

from collections.abc import Sequence
from html import escape

from loadtest import figures
from loadtest.cells import Cell, table
from loadtest.inside import Inside, Spread, spreads_of_keys
from loadtest.plots import Series, bars
from loadtest.report import Report

UNREAD = "Not read: the target's metrics have no address here (--metrics; [metrics] listen)."
LINES = (
    ("queue p50", "queue", "p50", 0, True),
    ("queue p99", "queue", "p99", 0, False),
    ("token p50", "service", "p50", 2, True),
    ("token p99", "service", "p99", 2, False),
    ("commit p99", "commit", "p99", 4, False),
)
MS = ("mean", "p50", "p90", "p99")


def times(report: Report) -> str:
    """Draw the server's own times in each second: the line, the token, the disk."""
    if report.inside is None:
        return _note(UNREAD)
    seconds = figures.inside_seconds(report)
    series = [
        Series(
            name,
            [(item.second, item.times[what][part]) for item in seconds if what in item.times],
            colour,
            dashed,
        )
        for name, what, part, colour, dashed in LINES
    ]
    return figures.over_time(report, series, "ms", log_y=True) + _failures(report.inside)


def under_way(report: Report) -> str:
    """Draw what was under way at the end of each second."""
    if report.inside is None:
        return _note(UNREAD)
    seconds = figures.inside_seconds(report)
    series = [
        Series("calls in handlers", [(item.second, item.in_flight) for item in seconds], 1),
        Series("waiting for a session", [(item.second, item.waiting) for item in seconds], 0),
    ]
    return figures.over_time(report, series, "")


def refusals(report: Report) -> str:
    """Draw payloads that were not signed, by reason; grey: calls and the token's failures."""
    if report.inside is None:
        return _note(UNREAD)
    found = report.inside.refused
    expected = {call.expect for call in report.calls}
    rows = [(name, float(number), 0 if name in expected else 3) for name, number in found.items()]
    failed = {**report.inside.calls, **report.inside.errors}
    rows += [(name, float(number), figures.GREY) for name, number in failed.items()]
    return bars(rows) if rows else _note("Every payload was signed, and nothing failed.")


def by_key(inside: Inside) -> str:
    """Return the table of keys and slots."""
    header = [Cell("key"), Cell("slot"), Cell("signatures", number=True)]
    header += [Cell(f"{what} {part} ms", number=True) for what in ("queue", "token") for part in MS]
    return table(header, (_row(service, queue) for service, queue in spreads_of_keys(inside)))


def _row(service: Spread, queue: Spread | None) -> Sequence[Cell]:
    return [
        Cell(service.key),
        Cell(service.slot),
        Cell(f"{service.count:,}", number=True),
        *(Cell(f"{queue.ms[part]:.2f}" if queue else "", number=True) for part in MS),
        *(Cell(f"{service.ms[part]:.2f}", number=True) for part in MS),
    ]


def _failures(inside: Inside) -> str:
    if not inside.failures:
        return ""
    count = len(inside.failures)
    return _note(f"{count} readings failed, the first: {inside.failures[0]}", "warn")


def _note(text: str, style: str = "") -> str:
    return f'<p class="{style}">{escape(text)}</p>'
