"""The benchmark of the ledger measures what it says."""

import pytest

from loadtest.bench_ledger import SIZES, main, measure, report


def test_every_size_is_measured() -> None:
    """A small run has each size with ids in both orders."""
    rows = measure(rounds=1, requests=64, records=10)
    assert sorted(row.size for row in rows) == sorted(2 * SIZES)
    assert min(row.cpu_us for row in rows) > 0
    assert len(report(rows).splitlines()) == len(SIZES)


def test_records_are_there_already(capsys: pytest.CaptureFixture[str]) -> None:
    """What a ledger is to hold beforehand may be named."""
    main(["--rounds", "1", "--records", "200", "--requests", "64"])
    assert "us with ids in no order" in capsys.readouterr().out
