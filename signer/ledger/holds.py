"""Where requests that wait for approvals are kept."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from signer.ledger.documents import Query

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode
_REPLACE = "REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OPEN = "standing = 'pending' AND expires_ms > ?"


class HoldStanding(StrEnum):
    """How a hold ended, if it did. The values are stored, so they never change."""

    PENDING = "pending"
    REJECTED = "rejected"
    USED = "used"  # a signature was granted on it


class Hold(NamedTuple):
    """A request that lacks nothing but approvals, and those it has.

    ``number`` is the index of its record in the audit log. It is bound to everything
    that an approver was shown: the caller, the request id, the key version, the payload
    and ``words``, what the payload does. ``grants`` are the ids of those that would do.
    """

    number: int
    caller: str
    request_id: str
    key: str
    version: int
    format: str
    payload_sha256: bytes
    words: str
    grants: tuple[str, ...]
    held_ms: int
    expires_ms: int
    standing: HoldStanding = HoldStanding.PENDING
    approvals: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The resource name."""
        return f"approvals/{self.number}"


class Holds:
    """Reads and writes them; of a reader's only the reading methods work."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def get(self, number: int) -> Hold | None:
        """Return one by its number."""
        return _first(self._query("SELECT * FROM holds WHERE number = ?", (number,)))

    def newest(self, caller: str, request_id: str) -> Hold | None:
        """Return the newest one of a request."""
        sql = "SELECT * FROM holds WHERE caller = ? AND request_id = ? ORDER BY number DESC LIMIT 1"
        return _first(self._query(sql, (caller, request_id)))

    def open(self, now_ms: int, after: int = 0) -> list[Hold]:
        """Return those that may still be decided on and have a higher number, in order."""
        sql = f"SELECT * FROM holds WHERE {_OPEN} AND number > ? ORDER BY number"  # noqa: S608 - a constant
        return list(map(_hold, self._query(sql, (now_ms, after))))

    def count(self, caller: str, now_ms: int) -> int:
        """Return how many of a caller's requests wait."""
        sql = f"SELECT count(*) FROM holds WHERE {_OPEN} AND caller = ?"  # noqa: S608 - a constant
        [(number,)] = self._query(sql, (now_ms, caller))
        return int(number)

    def put(self, hold: Hold) -> None:
        """Add one, or bring it forward."""
        *columns, grants, held_ms, expires_ms, standing, approvals = hold
        ends = (held_ms, expires_ms, standing)
        self._query(_REPLACE, (*columns, _encode(grants), *ends, _encode(approvals)))

    def forget(self, expired_before_ms: int) -> None:
        """Forget those that expired before a time."""
        self._query("DELETE FROM holds WHERE expires_ms < ?", (expired_before_ms,))


def _first(rows: Sequence[Any]) -> Hold | None:
    return _hold(rows[0]) if rows else None


def _hold(row: Sequence[Any]) -> Hold:
    hold = Hold(*row)
    return hold._replace(
        standing=HoldStanding(hold.standing),
        grants=_decode(hold.grants),  # type: ignore[arg-type] # as it is stored
        approvals=_decode(hold.approvals),  # type: ignore[arg-type] # as it is stored
    )
