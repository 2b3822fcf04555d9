"""Checking a ledger file on its own."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from signer.audit.verify import VerificationError
from signer.ledger.verify import verify_ledger
from tests.support import leaves
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
        (lambda leaves: leaves.pop(3), "leaf 3 is missing"),
        (lambda leaves: leaves.pop(6), "6 leaves; the head says 7"),
        (lambda leaves: leaves.update({7: b'{"index":7}'}), "8 leaves; the head says 7"),
        (lambda leaves: leaves.update({2: b'{"index":2,'}), "leaf 2 does not"),
        (lambda leaves: leaves.update({2: b'{"index":1}'}), "leaf 2 does not"),
        (lambda leaves: leaves.update({2: b"[2]"}), "leaf 2 does not"),
        (
            lambda leaves: leaves.update({2: leaves[2].replace(b"bob", b"eve")}),
            "do not hash to the stored head",
        ),
    ],
)
def test_damage_is_found(
    filled: Bench, damage: Callable[[dict[int, bytes]], object], message: str
) -> None:
    """Any leaf that is missing, added or changed is noticed, and named where that is possible."""
    leaves.edit(filled.path, damage)
    with pytest.raises(VerificationError, match=message):
        verify_ledger(filled.path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "UPDATE bundles SET entries = x'00037b7d' WHERE first = 2",
            "the leaves from 2 on are damaged: the bundle ends",
        ),
        ("DROP TABLE bundles", "no such table: bundles"),
    ],
)
def test_damaged_rows_are_found(filled: Bench, damage: str, message: str) -> None:
    """A file whose leaves cannot be read at all is one clear line."""
    with closing(sqlite3.connect(filled.path, isolation_level=None)) as connection:
        connection.execute(damage)
    with pytest.raises(VerificationError, match=message):
        verify_ledger(filled.path)


def test_a_missing_file(bench: Bench) -> None:
    """What is not there is not created by looking at it."""
    with pytest.raises(VerificationError, match="unable to open"):
        verify_ledger(bench.path)
    assert not bench.path.exists()
