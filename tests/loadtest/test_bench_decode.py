"""The benchmark of decoding: every format has a row, and a slow one fails it."""

from dataclasses import replace

import pytest

from loadtest.bench_decode import measure, report
from policy.payloads import FORMATS


def test_every_format_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """A format cannot be left out, and what is within its bound passes."""
    rows = [replace(row, ratio=row.bound) for row in measure(rounds=1, calls=1)]
    assert [row.tag for row in rows] == sorted(FORMATS)
    assert report(rows)
    assert capsys.readouterr().out.count(": ok\n") == len(FORMATS)


def test_a_slow_format_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """One format above its bound is named, and the run fails."""
    row = next(measure(rounds=1, calls=1))
    assert not report([replace(row, ratio=row.bound + 0.001)])
    assert "TOO SLOW" in capsys.readouterr().out
