"""The grants of keys as they are written: terms that many grants share are read once.

A large document has many grants that differ only in their names and callers. Those two
are read for each grant; terms that were read already are known again by their content.
"""

import marshal
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from policy.field_types import Many, Name, San
from policy.schema import Grant, Key, Terms

MOST = 4096  # terms to know again
_IDS = TypeAdapter(list[Name])
_CALLERS = TypeAdapter(list[Many[San]])
_FORMAT = 2  # of marshal: the same bytes are the same content in the same order

_Holders = tuple[list[str], list[list[str]]]
"""The names of grants, and the callers of each."""


class Claim(NamedTuple):
    """One grant of a key; without terms, its problems are reported already.

    Grants that have a ``mark`` in common have the same terms.
    """

    id: str
    callers: list[str]
    terms: Terms | None
    mark: bytes | None


class Reader:
    """Reads the keys of one document, one after the other."""

    def __init__(self) -> None:
        self._known: dict[bytes | None, Grant] = {}

    def read(self, raw: Any) -> tuple[Key, list[Claim]]:
        """Return a key and its grants.

        Raises:
            ValidationError: it is no key.
        """
        tables = _tables(raw)
        marks = list(map(_mark, tables))
        holders = None if self._known.keys().isdisjoint(marks) else _holders(tables)
        if holders:  # a table whose terms are new is read as it is
            raw = {**raw, "grants": list(map(self._known.get, marks, tables))}
        key = Key.model_validate(raw)
        self._learn(marks, key.grants)
        ids, callers = holders or _held(key.grants)
        return key, list(map(Claim, ids, callers, key.grants, marks))

    def _learn(self, marks: Sequence[bytes | None], grants: Iterable[Grant | None]) -> None:
        for mark, grant in zip(marks, grants, strict=True):
            if mark not in self._known and mark and grant and len(self._known) < MOST:
                self._known[mark] = grant


def _tables(raw: Any) -> list[Any]:
    """Return the grants of what may be a key; none if it is not."""
    tables = raw.get("grants") if isinstance(raw, dict) else None
    return tables if isinstance(tables, list) else []


def _holders(tables: Iterable[Any]) -> _Holders | None:
    """Return whose these grants are; None where one is wrong."""
    try:
        ids = [table["id"] for table in tables]
        callers = [table["callers"] for table in tables]
        return _IDS.validate_python(ids), _CALLERS.validate_python(callers)
    except (KeyError, TypeError, ValidationError):
        return None  # whatever it is, reading the whole tells it


def _held(grants: Iterable[Grant | None]) -> _Holders:
    """Return whose grants are that were read whole."""
    return (
        [grant.id if grant else "" for grant in grants],
        [grant.callers if grant else [] for grant in grants],
    )


def _mark(table: Any) -> bytes | None:
    """Return what has the same terms in common; None for what is not to be known again."""
    if not isinstance(table, dict):
        return None
    terms = {**table}
    terms.pop("id", None)
    terms.pop("callers", None)
    try:
        return marshal.dumps(terms, _FORMAT)
    except ValueError:  # a date, say, of which TOML has a type and no grant a field
        return None
