"""Where freezes and emergency rates are kept."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from policy.freezes import Freeze
from signer.ledger.documents import Query

_THIS = " WHERE how = ? AND scope = ? AND name = ?"


class How(StrEnum):
    """How something is stopped. The values are stored, so they never change."""

    FREEZE = "freeze"
    RATE = "rate"


class Stop(NamedTuple):
    """A freeze or an emergency rate in force, who set it, when and why.

    ``per_minute`` is the rate; None for a freeze.
    """

    how: How
    scope: str
    name: str
    per_minute: int | None
    since_ms: int
    by: str
    reason: str

    @property
    def what(self) -> Freeze:
        """What is stopped."""
        return Freeze(self.scope, self.name)


def freezing(what: Freeze, by: str, reason: str = "") -> Stop:
    """Return a freeze as somebody asks for it."""
    return Stop(How.FREEZE, *what, None, 0, by, reason)


def slowing(what: Freeze, per_minute: int, by: str, reason: str = "") -> Stop:
    """Return an emergency rate as somebody asks for it."""
    return Stop(How.RATE, *what, per_minute, 0, by, reason)


class Stops:
    """Reads and writes both; of a reader's only the reading methods work."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def all(self) -> list[Stop]:
        """Return what is in force, oldest first."""
        rows = self._query("SELECT * FROM stops ORDER BY since_ms, how, scope, name", ())
        return [_stop(row) for row in rows]

    def find(self, how: How, what: Freeze) -> Stop | None:
        """Return one; None when it is not in force."""
        rows = self._query(f"SELECT * FROM stops{_THIS}", (how, *what))  # noqa: S608 - constants
        return _stop(rows[0]) if rows else None

    def put(self, stop: Stop) -> None:
        """Put one in force, or in the place of the same one."""
        self._query("REPLACE INTO stops VALUES (?, ?, ?, ?, ?, ?, ?)", stop)

    def end(self, how: How, what: Freeze) -> None:
        """End one."""
        self._query(f"DELETE FROM stops{_THIS}", (how, *what))  # noqa: S608 - constants


def _stop(row: Sequence[Any]) -> Stop:
    return Stop(How(row[0]), *row[1:])
