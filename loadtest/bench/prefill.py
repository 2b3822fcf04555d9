"""A ledger that has been in use for long: real records, a real tree, written at once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from signer.audit import record
from signer.audit.merkle import Tree, leaf_hash
from signer.ledger import leaves

CALLER = "spiffe://firm.example/desk"
BLOCK = 50_000  # records a transaction
PLACE, REQUEST = 111_111_111, "@request-id@"
SPREAD = 0x9E3779B97F4A7C15  # odd, so that serial numbers become ids in no order
MASK = 2**64 - 1


def fill(path: Path, records: int, now_ms: int) -> None:
    """Add records to a ledger that nobody has open: a decision and an outcome for each request.

    The file is not synced: it is a benchmark's own.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -500000")
        size, peaks = database.execute("SELECT tree_size, tree_peaks FROM state").fetchone()
        tree = Tree(size, [peaks[at : at + 32] for at in range(0, len(peaks), 32)])
        for start in range(size, size + records, BLOCK):
            end = min(start + BLOCK, size + records)
            database.execute("BEGIN")
            made = list(_leaves(tree, start, end))
            database.executemany(leaves.INSERT, leaves.bundles(made))
            database.execute("COMMIT")
        database.execute("BEGIN")
        name, index = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'requests' AND type = 'index'"
        ).fetchone()
        database.execute(f"DROP INDEX {name}")  # it is made at once, and not row by row
        database.executemany(
            "INSERT INTO requests VALUES (?, ?, ?, 'orders', 1, 'intent', ?, 'reserved', ?, ?, ?,"
            " 1, ?, 0)",
            _requests(size, records, now_ms),
        )
        database.execute(index)
        database.executemany("INSERT INTO signatures VALUES (?, 1, ?)", _signatures(size, records))
        database.execute(
            "UPDATE state SET tree_size = ?, tree_peaks = ?", (tree.size, b"".join(tree.peaks))
        )
        database.execute("COMMIT")


def request_id(serial: int) -> str:
    """Return an id that is as far from the one before as a random one."""
    return f"{serial * SPREAD & MASK:016x}"


def _leaves(tree: Tree, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    patterns = [_pattern(event) for event in ("sign.decision", "sign.outcome")]
    for index in range(start, end):
        before, between, after = patterns[index & 1]
        body = b"%b%d%b%b%b" % (before, index, between, request_id(index >> 1).encode(), after)
        tree.append(leaf_hash(body))
        yield index, body


def _pattern(event: str) -> tuple[bytes, bytes, bytes]:
    """Encode a record once, and cut out what differs."""
    transfer = record.Transfer("EUR", "100", "payment", "DE02120300000000202051")
    window = record.Sum("100", 1)
    whole = record.encode(
        record.Record(
            index=PLACE,
            time="2026-01-01T00:00:00.000Z",
            clock=record.Clock("ok"),
            event=event,
            outcome="granted",
            request_id=REQUEST,
            caller=record.Caller(CALLER, "ab" * 32, "10.0.0.1:50000"),
            key_version="keys/orders/versions/1",
            payload=record.Payload("intent", "cd" * 32),
            facts=record.Facts("intent.transfer", (transfer,)),
            message_sha256="ef" * 32,
            policy=record.Policy(1, "01" * 32),
            grant="desk",
            limits=(record.Limit("EUR", 86_400_000, window, window, window),),
        )
    )
    before, after = whole.split(str(PLACE).encode())
    between, after = after.split(REQUEST.encode())
    return before, between, after


def _requests(size: int, records: int, now_ms: int) -> Iterator[tuple[object, ...]]:
    digest = sha256().digest()
    for serial in _serials(size, records):
        decided, index = now_ms - 86_400_000 + serial % 86_000_000, 2 * serial
        yield index, CALLER, request_id(serial), digest, decided, decided, index, b"[]"


def _signatures(size: int, records: int) -> Iterator[tuple[int, bytes]]:
    return ((2 * serial, b"\1" * 64) for serial in _serials(size, records))


def _serials(size: int, records: int) -> range:
    return range(size >> 1, (size + records) >> 1)
