"""The lock file installs with every pip that Debian 12 has."""

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

LOCK = Path(__file__).parents[1] / "requirements.lock"
LOCKED = [
    Requirement(line.rstrip(" \\")) for line in LOCK.read_text().splitlines() if line[:1].isalpha()
]
EXTRAS = {item.name: item.extras for item in LOCKED}


@pytest.mark.parametrize("name", sorted(EXTRAS))
def test_extras_are_locked(name: str) -> None:
    """Old pips take the hash of a plain name for that name alone, not for its extras."""
    wanted = [Requirement(text) for text in metadata.requires(name) or ()]
    for item in wanted:
        if item.name in EXTRAS and (item.marker is None or item.marker.evaluate({"extra": ""})):
            assert item.extras <= EXTRAS[item.name], f"{name} wants {item}"
