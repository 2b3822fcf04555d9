"""The store on SQLite: one file, and several worker processes on one host."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from policy.instants import Instant
from policy.model import Charge, Counter
from policy.windows import Bucket
from signer.errors import ConfigError
from signer.ledger import leaves, schema
from signer.ledger.documents import Documents, Proposals
from signer.ledger.growing import Log
from signer.ledger.holds import Holds
from signer.ledger.rows import Request, SignedRow, Standing, State
from signer.ledger.stops import Stops
from signer.ledger.store import Changes, StoreError

BUSY_SECONDS = 10.0
CACHE_KIB = 64 * 1024
CHECKPOINT_PAGES = 8000  # a page that was written often is copied once
PAGE_BYTES, FRAME_HEADER = 4096, 24
_PRIMARY = 0xFF  # the low byte of an extended result code (sqlite.org/rescode.html)
_FATAL = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
}
STATE = (
    "SELECT seq, control_seq, policy_version, clock_ms, tree_size, tree_peaks, root_version"
    " FROM state"
)
_IS_BOUND = "SELECT 1 FROM requests WHERE request_id = ? AND caller = ?"
_REQUEST = """
  SELECT requests.reservation, caller, request_id, key,
         coalesce(signatures.version, requests.version), format, payload_sha256, standing,
         decided_ms, lease_ms, decision, policy_version, charges, resumed, signature
  FROM requests LEFT JOIN signatures
    ON signatures.reservation = requests.reservation AND standing = 'reserved'
  WHERE request_id = ? AND caller = ?"""
_INSERT_REQUEST = "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OLDEST = "SELECT decided_ms FROM requests ORDER BY reservation LIMIT 1"
# Rows are in the order of their age, but for those that older releases wrote.
_PRUNE = """
  DELETE FROM requests WHERE reservation IN (
    SELECT reservation FROM (
      SELECT reservation, decided_ms FROM requests ORDER BY reservation LIMIT ?
    ) WHERE decided_ms < ?)"""
_PRUNE_SIGNATURES = """
  DELETE FROM signatures WHERE reservation < (SELECT min(reservation) FROM requests)"""

_OF = "key = ? AND asset = ? AND span_ms = ?"
_BUCKETS = f"SELECT first_ms, last_ms, total, requests FROM buckets WHERE {_OF}"  # noqa: S608 - of constants
_INSTANTS = f"""
  SELECT at_ms, total, requests FROM instants WHERE {_OF} AND at_ms > ? AND at_ms <= ?
  ORDER BY at_ms LIMIT ?"""  # noqa: S608 - of constants
_ADD_INSTANT = """
  INSERT INTO instants VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
  SET total = plus(total, excluded.total), requests = requests + excluded.requests"""
_COPY_INSTANTS = f"""
  INSERT INTO instants SELECT ?, ?, ?, at_ms, total, requests FROM instants
  WHERE {_OF} AND at_ms >= ?"""  # noqa: S608 - of constants
_DROP_INSTANTS = f"""
  DELETE FROM instants WHERE {_OF} AND at_ms <= min(?, coalesce(
    (SELECT at_ms FROM instants WHERE {_OF} ORDER BY at_ms LIMIT 1 OFFSET ?), ?))"""  # noqa: S608 - of constants
_NEXT_WITH_INSTANTS = """
  SELECT key, asset, span_ms FROM instants WHERE (key, asset, span_ms) > (?, ?, ?)
  ORDER BY key, asset, span_ms LIMIT 1"""
_OLDEST_BUCKET = f"SELECT min(first_ms) FROM buckets WHERE {_OF}"  # noqa: S608 - of constants

_CHARGES = 12  # their place in a row of requests

_encode = msgspec.json.Encoder().encode
# A JSON number has no bound, but its readers do: the amount travels as text.
_decode = msgspec.json.Decoder(list[tuple[str, str, int, str, int]]).decode


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(error) from error


def _store_error(error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & _PRIMARY
    return StoreError(str(error), fatal=code in _FATAL)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file; ``mode`` is ``ro`` or ``rw`` (sqlite.org/uri.html)."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


class _Turn:
    """Lets the processes on one file write in turn.

    SQLite alone would let a process that finds the file busy sleep for up to
    100 ms at a time, while another takes every turn. Here the kernel wakes it at
    once, and whoever just wrote has to queue again.
    """

    def __init__(self, path: Path) -> None:
        names = (path.with_name(f"{path.name}.{suffix}") for suffix in ("queue", "turn"))
        self._queue, self._turn = (
            os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT, 0o600)) for name in names
        )

    def __enter__(self) -> None:
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        self._queue.close()
        self._turn.close()


class SqliteStore:
    """The writing connection. Not safe for two threads at once."""

    def __init__(self, path: Path) -> None:
        """Open the file, create it when it is missing, and bring it up to date.

        Raises:
            ConfigError: it cannot be opened or is not a ledger of a known version.
        """
        try:
            with ExitStack() as opened:
                self._open(path, opened)
                self._opened = opened.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"the ledger {path} cannot be opened: {error}") from None
        self._rows = self._connection.execute
        self._look = self._connection.cursor().execute
        self._oldest_ms = 0  # no request is older; those to come are younger
        self.documents = Documents(self._all)
        self.proposals = Proposals(self._all)
        self.stops = Stops(self._all)
        self.holds = Holds(self._all)

    def _open(self, path: Path, opened: ExitStack) -> None:
        with suppress(FileExistsError):  # SQLite gives its side files the same mode
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        self._connection = opened.enter_context(closing(connect(path, "rw")))
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        # Request ids come in no order, so that nearly each touches another page.
        self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self._connection.create_function("plus", 2, _plus, deterministic=True)
        schema.migrate(self._connection)
        self._turn = opened.enter_context(closing(_Turn(path)))
        full = CHECKPOINT_PAGES * (PAGE_BYTES + FRAME_HEADER)
        self._log = opened.enter_context(closing(Log(path, full)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Exclude all other writers; commit durably at the end, or roll back."""
        with self._turn:
            try:
                self._rows("BEGIN IMMEDIATE")
                yield
                with self._log:
                    self._rows("COMMIT")
            except BaseException as error:
                with suppress(sqlite3.Error):  # an error may have rolled back already
                    self._rows("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _store_error(error) from error
                raise

    def state(self) -> State:
        """Read the state."""
        return State(*self._rows(STATE).fetchone())

    def write(self, before: State, after: State, changes: Changes) -> None:
        """Write a transaction's changes; the state must still be ``before``."""
        many = self._connection.executemany
        many(leaves.INSERT, leaves.bundles(changes.leaves))
        if changes.replaced:
            many("DELETE FROM requests WHERE reservation = ?", [(at,) for at in changes.replaced])
        many(_INSERT_REQUEST, map(_request_row, changes.requests))
        if changes.expired:
            many(
                "DELETE FROM buckets WHERE key = ? AND asset = ? AND span_ms = ? AND first_ms = ?",
                [(*counter, bucket.first_ms) for counter, bucket in changes.expired],
            )
        self.add_instants(changes.instants)
        many(
            "REPLACE INTO buckets VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (*counter, first, last, str(total), requests, after.seq)
                for counter, (first, last, total, requests) in changes.buckets
            ],
        )
        written = self._rows(
            "UPDATE state SET seq = ?, control_seq = ?, policy_version = ?, clock_ms = ?,"
            " tree_size = ?, tree_peaks = ?, root_version = ?"
            " WHERE id = 1 AND seq = ? AND tree_size = ?",
            (*after, before.seq, before.tree_size),
        )
        if written.rowcount != 1:
            raise StoreError("the ledger's state changed within a transaction", fatal=True)

    def leaves(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Read at most ``limit`` stored leaves from index ``start`` on."""
        return leaves.read(self._all, start, limit)

    def request(self, caller: str, request_id: str) -> Request | None:
        """Find what a request id is bound to."""
        named = request_id, caller
        if not self._look(_IS_BOUND, named).fetchall():  # nearly every id is new
            return None
        return _request(self._all(_REQUEST, named)[0])

    def sign(self, signed: Iterable[SignedRow]) -> None:
        """Keep signatures; where a reservation has one already, that stays."""
        self._connection.executemany("INSERT OR IGNORE INTO signatures VALUES (?, ?, ?)", signed)

    def prune(self, decided_before_ms: int, limit: int) -> None:
        """Forget the oldest request ids, at most ``limit``."""
        if self._oldest_ms >= decided_before_ms:
            return
        for (oldest_ms,) in self._all(_OLDEST, ()):
            self._oldest_ms = oldest_ms
        if self._oldest_ms < decided_before_ms:
            self._rows(_PRUNE, (limit, decided_before_ms))
            self._rows(_PRUNE_SIGNATURES)

    def buckets(self, counter: Counter) -> list[Bucket]:
        """Read a counter's buckets."""
        rows = self._rows(_BUCKETS, counter)
        return [Bucket(first, last, int(total), count) for first, last, total, count in rows]

    def spans(self, key: str, asset: str) -> list[int]:
        """Read the spans that have buckets for a key and asset."""
        rows = self._rows(
            "SELECT DISTINCT span_ms FROM buckets WHERE key = ? AND asset = ?", (key, asset)
        )
        return [span_ms for (span_ms,) in rows]

    def buckets_since(self, seq: int) -> list[tuple[Counter, Bucket]]:
        """Read the buckets that were written by transactions after ``seq``."""
        rows = self._rows(
            "SELECT key, asset, span_ms, first_ms, last_ms, total, requests FROM buckets"
            " WHERE seq > ? ORDER BY first_ms",
            (seq,),
        )
        return [
            (Counter(key, asset, span), Bucket(first, last, int(total), count))
            for key, asset, span, first, last, total, count in rows
        ]

    def drop_expired(self, now_ms: int) -> None:
        """Forget all buckets that have left their windows."""
        self._rows("DELETE FROM buckets WHERE last_ms + span_ms <= ?", (now_ms,))

    def instants(
        self, counter: Counter, after_ms: int, through_ms: int, limit: int
    ) -> list[Instant]:
        """Read at most ``limit`` of a counter's instants between two times, oldest first."""
        rows = self._rows(_INSTANTS, (*counter, after_ms, through_ms, limit))
        return [Instant(at_ms, int(total), requests) for at_ms, total, requests in rows]

    def add_instants(self, instants: Iterable[tuple[Counter, Instant]]) -> None:
        """Add to instants; one that is not there yet is made."""
        rows = [(*counter, at, str(total), count) for counter, (at, total, count) in instants]
        if rows:
            self._connection.executemany(_ADD_INSTANT, rows)

    def copy_instants(self, source: Counter, target: Counter, from_ms: int) -> None:
        """Give a counter that has none another one's instants from a time on."""
        self._rows(_COPY_INSTANTS, (*target, *source, from_ms))

    def drop_instants(self, counter: Counter, through_ms: int, limit: int) -> int:
        """Forget a counter's oldest instants up to a time; return how many, at most ``limit``."""
        last = (*counter, limit - 1, through_ms)
        return self._rows(_DROP_INSTANTS, (*counter, through_ms, *last)).rowcount

    def stale_instants(self, now_ms: int) -> Iterator[tuple[Counter, int]]:
        """Yield the counters with instants, and up to when no bucket of theirs needs them."""
        counter = Counter("", "", 0)
        while found := self._all(_NEXT_WITH_INSTANTS, counter):
            counter = Counter(*found[0])
            [(oldest_ms,)] = self._all(_OLDEST_BUCKET, counter)
            left_ms = now_ms - counter.span_ms
            yield counter, left_ms if oldest_ms is None else min(left_ms, oldest_ms - 1)

    def _all(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        return self._rows(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the connection and the files beside it."""
        self._opened.close()


class SqliteReader:
    """A connection that reads only what is committed. Safe to share among threads."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, "ro")
        self._lock = threading.Lock()
        self.documents = Documents(self._query)
        self.proposals = Proposals(self._query)
        self.stops = Stops(self._query)
        self.holds = Holds(self._query)

    def state(self) -> State:
        """Read the state."""
        return State(*self._all(STATE)[0])

    def leaves(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Read at most ``limit`` leaves from index ``start`` on."""
        return leaves.read(self._query, start, limit)

    def _all(self, sql: str, *parameters: object) -> list[Any]:
        return self._query(sql, parameters)

    def _query(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        with self._lock, _errors(), closing(self._connection.execute(sql, parameters)) as rows:
            return rows.fetchall()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()


def _plus(one: str, other: str) -> str:
    """Add totals, which SQLite's own integers may be too small for."""
    return str(int(one) + int(other))


def _request_row(row: Request) -> tuple[Any, ...]:
    booked = [(*each.counter, str(each.amount), each.requests) for each in row.charges]
    return (
        row.reservation,
        row.caller,
        row.request_id,
        row.key,
        row.version,
        row.format,
        row.payload_sha256,
        str(row.standing),
        row.decided_ms,
        row.lease_ms,
        row.decision,
        row.policy_version,
        _encode(booked),
        row.resumed,
    )


def _request(row: tuple[Any, ...]) -> Request:
    request = Request(*row)
    booked = tuple(
        Charge(Counter(key, asset, span), int(amount), requests)
        for key, asset, span, amount, requests in _decode(row[_CHARGES])
    )
    standing, resumed = Standing(request.standing), bool(request.resumed)
    return replace(request, standing=standing, charges=booked, resumed=resumed)
