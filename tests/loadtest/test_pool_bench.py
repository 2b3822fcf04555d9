"""The measurement of the pool as a smoke: every figure comes out, whatever it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)  # it starts seven processes, which takes a busy machine a while
def test_every_figure_is_measured(tmp_path: Path) -> None:
    """One command measures all, writes it down, and fails only where a bound is missed."""
    out = tmp_path / "pool.json"
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.pool", "--rounds=1", "--seconds=0.1", f"--out={out}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = json.loads(out.read_bytes())["verdicts"]
    names = {verdict["figure"]["name"] for verdict in verdicts}
    assert len(names) == len(verdicts) == 4 * 4 + 3 + 2 + 3
    assert all(verdict["value"] != 0 for verdict in verdicts)
    bounded = [verdict for verdict in verdicts if verdict["figure"]["bound"] is not None]
    assert len(bounded) == 4 + 1 + 2 + 3  # as it is deployed, beside loops that verify
    assert all(verdict["held"] for verdict in verdicts if verdict not in bounded)
    assert done.returncode == (0 if all(verdict["held"] for verdict in verdicts) else 1), (
        done.stderr
    )
