"""Tables of a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell: text, right-aligned when it is a number, with a class for its colour."""

    text: str
    number: bool = False
    style: str = ""


def table(header: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table in HTML."""
    head = "".join(_cell("th", cell) for cell in header)
    body = "".join(f"<tr>{''.join(_cell('td', cell) for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(tag: str, cell: Cell) -> str:
    style = f"{'n' if cell.number else ''} {cell.style}".strip()
    return f'<{tag} class="{style}">{escape(cell.text)}</{tag}>'
