"""Opening a file: of no version, an older one, a newer one, or none of ours."""

import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

import pytest

from policy.windows import EXACT
from signer.errors import ConfigError
from signer.ledger.schema import STEPS, migrate
from signer.ledger.verify import verify_ledger
from signer.model import Signed
from tests.support.leaves import stored
from tests.support.ledgers import ALICE, HOUR, START_MS, Bench, code, granted, one, pay, spent

NEXT = "ALTER TABLE stops ADD COLUMN ended TEXT; CREATE INDEX stops_by_age ON stops (since_ms);"


def version(path: Path) -> int:
    """Return how many steps a file has been through."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_new_file_gets_all_steps(bench: Bench) -> None:
    """A missing file is created, readable by its owner only, at the newest version."""
    bench.open()
    assert version(bench.path) == len(STEPS)
    for path in bench.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_an_older_file_is_brought_up_to_date(bench: Bench) -> None:
    """A step leaves what is there as it was, and is done once."""
    granted(bench.open(), pay(100))
    bench.close()
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as connection:
        for _ in range(2):
            migrate(connection, (*STEPS, NEXT))
        assert connection.execute("SELECT ended FROM stops").fetchall() == []
    assert version(bench.path) == len(STEPS) + 1
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
    assert spent(bench.open()) == 100


def test_a_freeze_of_an_older_file_stays_in_force(tmp_path: Path) -> None:
    """What was frozen before freezes and rates shared a table is frozen after it."""
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        migrate(connection, STEPS[:2])
        connection.execute("INSERT INTO freezes VALUES ('key', 'pay', 7, 'somebody')")
        migrate(connection)
        rows = connection.execute("SELECT * FROM stops").fetchall()
    assert rows == [("freeze", "key", "pay", None, 7, "somebody", "")]


def test_requests_of_an_older_file_are_remembered(bench: Bench) -> None:
    """An id from before requests were kept in order is bound as it was, whatever became of it."""
    signed, refused, open_ = pay(1, id="signed"), pay(2, id="refused"), pay(3, id="open")
    charges = b'[["pay","USD",3600000,"3",1]]'
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as connection:
        migrate(connection, STEPS[:3])
        connection.executemany(
            f"INSERT INTO requests VALUES ('{ALICE.san}', ?, 'pay', 1, 'intent', ?, ?, {START_MS},"
            f" {START_MS} + 10000, ?, 1, ?, ?, ?)",
            [
                ("signed", signed.payload_sha256, "signed", 109, b"[]", 1, b"s" * 64),
                ("refused", refused.payload_sha256, "refused", 103, b"[]", 0, None),
                ("open", open_.payload_sha256, "reserved", 105, charges, 0, None),
            ],
        )
    ledger = bench.open()
    again = one(ledger, signed)
    assert again == Signed("keys/pay/versions/1", b"s" * 64, 109, 1, replayed=True)
    assert code(one(ledger, pay(4, id="refused"))) == "REQUEST_ID_REUSED"
    assert code(one(ledger, open_)) == "REQUEST_IN_PROGRESS"
    granted(ledger, refused)


def test_shared_buckets_of_an_older_file_leave_with_their_youngest(bench: Bench) -> None:
    """It is not known what is in them: nothing may leave early, and what comes leaves on time."""
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as connection:
        migrate(connection, STEPS[:4])
        connection.executemany(
            "INSERT INTO buckets VALUES ('pay', 'USD', ?, ?, ?, ?, 1, 0)",
            [
                (HOUR, START_MS - 900 + number, START_MS - 900 + number, "1")
                for number in range(EXACT)
            ]
            + [(HOUR, START_MS - 500, START_MS - 300, "600")],
        )
    ledger = bench.open()
    for number in (0, 50):
        bench.clock.now = START_MS + number
        granted(ledger, pay(7, id=f"new-{number}"))
    bench.close()
    ledger = bench.open()
    for after, held in ((-1, 614), (49, 607), (50, 0)):
        bench.clock.now = START_MS + after + HOUR
        assert spent(ledger) == held


def test_leaves_of_an_older_file_stay_in_the_log(bench: Bench) -> None:
    """Each had a row of its own; what comes later follows them, also within one look."""
    ledger = bench.open()
    for number in range(3):
        granted(ledger, pay(1, id=f"old-{number}"))
    bench.close()
    before = stored(bench.path)
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as connection:
        connection.executemany("INSERT INTO leaves VALUES (?, ?)", before.items())
        connection.execute("DROP TABLE bundles")
        connection.execute("PRAGMA user_version = 5")
    ledger = bench.open()
    ledger.decide([pay(1, id=f"new-{number}") for number in range(100)])
    size = ledger.size()
    every = ledger.leaves(0, size + 1)
    assert [index for index, _ in every] == list(range(size))
    assert every[: len(before)] == list(before.items())
    for start in range(size):
        for limit in (1, 7, 64, 65):
            assert ledger.leaves(start, limit) == every[start : start + limit]
    assert verify_ledger(bench.path) == ledger.head()


def test_a_step_that_fails_changes_nothing(bench: Bench) -> None:
    """Steps are done all or none."""
    bench.open()
    bench.close()
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, (*STEPS, NEXT, "CREATE TABLE bundles (first INTEGER)"))
        columns = [row[1] for row in connection.execute("PRAGMA table_info(stops)")]
    assert columns == ["how", "scope", "name", "per_minute", "since_ms", "by", "reason"]
    assert version(bench.path) == len(STEPS)


def test_a_newer_file_is_refused(bench: Bench) -> None:
    """A release does not write what it does not understand."""
    bench.open()
    bench.close()
    with closing(sqlite3.connect(bench.path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    known = len(STEPS)
    refusal = f"schema {known + 1}; this release knows up to {known}"
    with pytest.raises(ConfigError, match=refusal) as refused:
        bench.open()
    assert refused.traceback  # which would keep what was left open
    assert not [name for name in _open_files() if name.startswith(str(bench.path))]


def test_another_file_is_refused(bench: Bench) -> None:
    """A file that is no database, or that cannot be had, is one clear line."""
    bench.path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ConfigError, match=r"ledger\.db cannot be opened: file is not a database"):
        bench.open()
    bench.path = bench.path.parent / "none" / "ledger.db"
    with pytest.raises(ConfigError, match="No such file or directory"):
        bench.open()


def _open_files() -> list[str]:
    """Return where this process's descriptors lead, but for those that are just closed."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(descriptor.readlink()))
    return found
