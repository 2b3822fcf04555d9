"""The fuzzing itself: it runs over every decoder, and it would find what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from policy.payloads import FORMATS, decode
from tests.fuzz.contract import check, hold
from tests.policy.payloads.seeds import SEEDS

RUNS = 10_000
ROOT = Path(__file__).parents[2]


def _fuzz(tag: str, corpus: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.decoders", tag, str(corpus), *options]
    # Coverage and the fuzzer's own instrumentation do not go together.
    environment = {name: v for name, v in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def test_a_short_campaign_finds_nothing(tmp_path: Path) -> None:
    """Every decoder holds to its contract for a few thousand payloads, and each was tried."""
    done = _fuzz("all", tmp_path, f"-runs={RUNS}")
    assert done.returncode == 0, done.stderr
    assert f"Done {RUNS} runs" in done.stderr
    seeds = sum(map(len, SEEDS.values()))
    assert len(list(tmp_path.glob("seed-*"))) == seeds > len(FORMATS)


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    """A mistyped tag is one line, and no campaign over nothing."""
    done = _fuzz("etherium", tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("etherium is none of: all, binance.request")


def test_a_second_encoding_would_be_found() -> None:
    """A decoder that let an aliased payload pass would end the campaign."""
    payload = SEEDS["intent"][0]
    decoded = check("intent", payload)
    assert decoded == decode("intent", payload)
    assert decoded is not None
    with pytest.raises(AssertionError, match="has another encoding"):
        hold("intent", payload.replace(b":", b": "), decoded)
