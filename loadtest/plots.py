"""Plots as inline SVG, in plain Python: no script, no font, no file beside the page.

Colours are classes (c0, c1, …) that the page's style sheet defines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

from loadtest.scale import Scale, text

WIDTH, HEIGHT = 680, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 42
PLOT_RIGHT, PLOT_BOTTOM = WIDTH - RIGHT, HEIGHT - BOTTOM
BAR = 30
LEGEND_STEP = 34
LETTER, CAPITAL = 7.2, 8.8  # their widths, on average


@dataclass(frozen=True, slots=True)
class Series:
    """A line: its name in the legend, its points, its colour's number."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn, and on which axes.

    Attributes:
        shaded: spans of x that do not count, drawn darker.
        marks: x of vertical lines, with their labels.
        x_text: how a value of x is labelled.
    """

    series: Sequence[Series]
    x_label: str
    y_label: str
    log_x: bool = False
    log_y: bool = False
    shaded: Sequence[tuple[float, float]] = ()
    marks: Sequence[tuple[float, str]] = ()
    x_text: Callable[[float], str] = field(default=text)


def lines(plot: Plot) -> str:
    """Draw lines over an x and a y axis."""
    points = [point for series in plot.series for point in series.points]
    x = Scale.around((x for x, _ in points), LEFT, PLOT_RIGHT, log=plot.log_x)
    y = Scale.around((y for _, y in points), PLOT_BOTTOM, TOP, log=plot.log_y)
    parts = [
        *(_shade(x, span) for span in plot.shaded),
        *_y_axis(y, plot.y_label),
        *_x_axis(x, plot),
        *(_line(series, x, y, log_y=plot.log_y) for series in plot.series),
        *(_mark(x.at(value), label) for value, label in plot.marks),
        *_legend(plot.series),
    ]
    return _svg(HEIGHT, parts)


def bars(rows: Sequence[tuple[str, float, int]]) -> str:
    """Draw labelled horizontal bars: (label, value, the colour's number)."""
    widest = max((len(label) for label, _, _ in rows), default=0) * CAPITAL + 16
    room = WIDTH - widest - 110
    top = max((value for _, value, _ in rows), default=1) or 1
    parts = []
    for number, (label, value, colour) in enumerate(rows):
        middle = number * BAR + BAR / 2 + 6
        width = max(room * value / top, 2)
        parts += [
            _text(widest - 8, middle + 4, label, "end"),
            _rect(widest, middle - 9, width, 18, f"fill c{colour}"),
            _text(widest + width + 8, middle + 4, f"{value:,.0f}"),
        ]
    return _svg(len(rows) * BAR + 12, parts)


def _svg(height: int, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">\n{body}\n</svg>'


def _text(x: float, y: float, content: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(content)}</text>'


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} class="{style}"/>'


def _rule(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} class="{style}"/>'


def _shade(x: Scale, span: tuple[float, float]) -> str:
    start, end = x.at(span[0]), x.at(span[1])
    return _rect(start, TOP, end - start, PLOT_BOTTOM - TOP, "shade")


def _y_axis(y: Scale, label: str) -> list[str]:
    parts = [_text(LEFT - 8, TOP - 14, label, "label end")]
    for tick in y.ticks():
        at = y.at(tick)
        parts += [
            _rule(LEFT, at, PLOT_RIGHT, at, "grid"),
            _text(LEFT - 8, at + 4, text(tick), "end"),
        ]
    return parts


def _x_axis(x: Scale, plot: Plot) -> list[str]:
    return [
        _text(PLOT_RIGHT, HEIGHT - 6, plot.x_label, "label end"),
        _rule(LEFT, PLOT_BOTTOM, PLOT_RIGHT, PLOT_BOTTOM, "axis"),
        *(_text(x.at(tick), PLOT_BOTTOM + 18, plot.x_text(tick), "middle") for tick in x.ticks()),
    ]


def _line(series: Series, x: Scale, y: Scale, *, log_y: bool) -> str:
    points = " ".join(
        f"{x.at(left):.1f},{y.at(up):.1f}" for left, up in series.points if up > 0 or not log_y
    )
    return f'<polyline points="{points}" class="{_style(series)}"/>'


def _style(series: Series) -> str:
    return f"line c{series.colour}{' dashed' if series.dashed else ''}"


def _mark(at: float, label: str) -> str:
    # A label near the right edge stands on the line's left.
    side, offset = ("end", -6) if at > WIDTH / 2 else ("start", 6)
    line = _rule(at, TOP, at, PLOT_BOTTOM, "mark")
    return line + _text(at + offset, TOP + 14, label, f"label {side}")


def _legend(series: Sequence[Series]) -> list[str]:
    parts: list[str] = []
    at = float(PLOT_RIGHT)
    for item in reversed(series):
        at -= len(item.name) * LETTER
        parts += [
            _text(at, TOP - 14, item.name),
            _rule(at - 20, TOP - 18, at - 6, TOP - 18, _style(item)),
        ]
        at -= LEGEND_STEP
    return parts
