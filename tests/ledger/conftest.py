"""A ledger of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from signer.ledger import Ledger
from tests.support.ledgers import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A place for a ledger, with a clock that is set by hand."""
    made = Bench(tmp_path / "ledger.db")
    yield made
    made.close()


@pytest.fixture
def ledger(bench: Bench) -> Ledger:
    """A ledger with the usual policy."""
    return bench.open()
