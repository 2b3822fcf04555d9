"""What the configuration file may say of sessions, canaries and metrics."""

from pathlib import Path

import pytest

from signer.config import Config, Sessions, load
from signer.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "signgate.toml"


def configured(directory: Path, old: str, new: str) -> Config:
    """Load the example with something else in one place."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    path = directory / "signgate.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("8", 8), ("{ min = 1, max = 32 }", Sessions(min=1, max=32))],
)
def test_sessions(tmp_path: Path, written: str, expected: int | Sessions) -> None:
    """The number is fixed, or has bounds."""
    config = configured(tmp_path, "sessions = 4", f"sessions = {written}")
    assert config.hsm.sessions == expected


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("sessions = 4", "sessions = 0", "hsm.sessions.number"),
        ("sessions = 4", "sessions = 257", "hsm.sessions"),
        ("sessions = 4", 'sessions = "many"', "hsm.sessions.bounds"),
        ("sessions = 4", "sessions = { min = 9, max = 3 }", "min = 9 is more than max = 3"),
        ("sessions = 4", "sessions = { min = 1 }", "hsm.sessions.bounds.max: Field required"),
        ("[ledger]", "[metrics]\nlisten = 'all'\n[ledger]", "metrics.listen"),
        ('"signgate-canary"', '"signgate-canary"\ninterval_seconds = 0', "canary.interval_seconds"),
    ],
)
def test_what_is_out_of_bounds_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    """One line says which field is wrong."""
    with pytest.raises(ConfigError, match=named) as refused:
        configured(tmp_path, old, new)
    assert "\n" not in str(refused.value)


def test_nothing_that_nobody_asked_for(tmp_path: Path) -> None:
    """Without their sections there are no canary and no metrics."""
    text = EXAMPLE.read_text(encoding="utf-8")
    canary = text[text.index("[canary]") : text.index("# [metrics]")]
    config = configured(tmp_path, canary, "")
    assert config.canary.key is None
    assert config.metrics.listen is None
