"""Checking a ledger file on its own."""

import sqlite3
from contextlib import closing

import pytest

from signer.audit.verify import VerificationError
from signer.ledger.verify import verify_ledger
from tests.support.ledgers import Bench, granted, pay


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """A closed ledger with some leaves."""
    ledger = bench.open()
    for number in range(5):
        granted(ledger, pay(1, id=f"r-{number}"))
    bench.close()
    return bench


def test_a_whole_ledger(filled: Bench) -> None:
    """Leaves and head agree, also while a writer has the file open."""
    size, root = verify_ledger(filled.path)
    assert size == 7
    ledger = filled.open()
    assert verify_ledger(filled.path) == ledger.head()
    assert ledger.head()[0] == size + 1
    assert root != ledger.head()[1]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("DELETE FROM leaves WHERE idx = 3", "leaf 3 is missing"),
        ("DELETE FROM leaves WHERE idx = 6", "6 leaves; the head says 7"),
        (
            "INSERT INTO leaves VALUES (7, CAST('{\"index\":7}' AS BLOB))",
            "8 leaves; the head says 7",
        ),
        ("UPDATE leaves SET body = CAST('{\"index\":2,' AS BLOB) WHERE idx = 2", "leaf 2 does not"),
        ("UPDATE leaves SET body = CAST('{\"index\":1}' AS BLOB) WHERE idx = 2", "leaf 2 does not"),
        ("UPDATE leaves SET body = CAST('[2]' AS BLOB) WHERE idx = 2", "leaf 2 does not"),
        (
            "UPDATE leaves SET body = CAST(replace(body, 'bob', 'eve') AS BLOB) WHERE idx = 2",
            "do not hash to the stored head",
        ),
        ("DROP TABLE leaves", "no such table: leaves"),
    ],
)
def test_damage_is_found(filled: Bench, damage: str, message: str) -> None:
    """Any leaf that is missing, added or changed is noticed, and named where that is possible."""
    with closing(sqlite3.connect(filled.path, isolation_level=None)) as connection:
        connection.execute(damage)
    with pytest.raises(VerificationError, match=message):
        verify_ledger(filled.path)


def test_a_missing_file(bench: Bench) -> None:
    """What is not there is not created by looking at it."""
    with pytest.raises(VerificationError, match="unable to open"):
        verify_ledger(bench.path)
    assert not bench.path.exists()
