"""The lock file installs with every pip that Debian 12 has, and on every Python that is allowed."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[1] / "requirements.lock"
EVERYWHERE = [
    Requirement(line.rstrip(" \\")) for line in LOCK.read_text().splitlines() if line[:1].isalpha()
]
LOCKED = [item for item in EVERYWHERE if item.marker is None or item.marker.evaluate()]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = {item.name: item.extras for item in LOCKED}


@pytest.mark.parametrize("name", sorted(EXTRAS))
def test_extras_are_locked(name: str) -> None:
    """Old pips take the hash of a plain name for that name alone, not for its extras."""
    wanted = [Requirement(text) for text in metadata.requires(name) or ()]
    for item in wanted:
        if item.name in EXTRAS and (item.marker is None or item.marker.evaluate({"extra": ""})):
            assert item.extras <= EXTRAS[item.name], f"{name} wants {item}"


@pytest.mark.parametrize("python", PYTHONS)
def test_what_another_python_wants_is_locked(python: str) -> None:
    """Nothing is installed that has no hash, and what is wanted differs: PyYAML's fork on 3.13."""
    there = {"python_version": python, "python_full_version": f"{python}.1", "extra": ""}
    locked = {canonicalize_name(item.name) for item in _wanted(EVERYWHERE, there)}
    for name in EXTRAS:
        every = map(Requirement, metadata.requires(name) or ())
        assert {canonicalize_name(item.name) for item in _wanted(every, there)} <= locked, name


def _wanted(every: Iterable[Requirement], there: dict[str, str]) -> list[Requirement]:
    return [item for item in every if item.marker is None or item.marker.evaluate(there)]
