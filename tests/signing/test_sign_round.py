"""Requests of several callers that are decided together at once: each has its own result."""

from pathlib import Path

import pytest

from signer.errors import LedgerUnavailableError, RefusedError
from signer.model import Signed
from signer.signing import Signing
from tests.signing.test_gathering import Counted, Token
from tests.support.ledgers import Bench, pay

AMOUNTS = (1, 10_001, 1)  # the second is over the limit


def rounds(path: Path, error: type[Exception], most: int) -> tuple[list[object], list[int]]:
    """Return the results where so many and no more can be decided at once, and each try's size."""
    counted = Counted(
        Bench(path / "ledger.db").open(), lambda size: error("no") if size > most else None
    )
    counted.release.set()
    requests = [pay(amount, id=f"r{place}") for place, amount in enumerate(AMOUNTS)]
    found = Signing(counted, Token()).sign_round(requests, range(len(requests)))
    return list(found), counted.sizes


@pytest.mark.parametrize(("most", "sizes"), [(3, [3]), (1, [3, 1, 1, 1])])
def test_one_that_cannot_be_decided_spares_the_others(
    tmp_path: Path, most: int, sizes: list[int]
) -> None:
    """Decided together or each alone, a refusal is its own request's, and so is a deadline."""
    found, tried = rounds(tmp_path, ValueError, most)
    assert [type(item) for item in found] == [Signed, RefusedError, Signed]
    assert [item.signature for item in found if isinstance(item, Signed)] == [b"r0 0", b"r2 2"]
    assert tried == sizes


def test_where_nothing_can_be_decided_everybody_is_told(tmp_path: Path) -> None:
    """A ledger that is gone is not asked again for each; what is only broken is."""
    found, tried = rounds(tmp_path, LedgerUnavailableError, 0)
    assert [type(item) for item in found] == [LedgerUnavailableError] * 3
    assert tried == [3]


def test_a_bug_is_told_to_each(tmp_path: Path) -> None:
    """The error itself is the result: whoever answers shields it."""
    found, tried = rounds(tmp_path, ValueError, 0)
    assert [type(item) for item in found] == [ValueError] * 3
    assert tried == [3, 1, 1, 1]
