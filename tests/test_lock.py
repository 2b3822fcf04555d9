"""The lock file installs with every pip that Debian 12 has, and on every Python that is allowed."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def _applying(every: Iterable[str], there: dict[str, str]) -> list[Requirement]:
    """Return what is required without extras, where the environment's variables are these."""
    found = map(Requirement, every)
    return [
        item for item in found if not item.marker or item.marker.evaluate({"extra": ""} | there)
    ]


LINES = (Path(__file__).parents[1] / "requirements.lock").read_text().splitlines()
LOCKED = [line.rstrip(" \\") for line in LINES if line[:1].isalpha()]
EXTRAS = {item.name: item.extras for item in _applying(LOCKED, {})}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@pytest.mark.parametrize("name", sorted(EXTRAS))
def test_extras_are_locked(name: str) -> None:
    """Old pips take the hash of a plain name for that name alone, not for its extras."""
    for item in _applying(metadata.requires(name) or (), {}):
        if item.name in EXTRAS:
            assert item.extras <= EXTRAS[item.name], f"{name} wants {item}"


@pytest.mark.parametrize("python", PYTHONS)
def test_what_another_python_wants_is_locked(python: str) -> None:
    """Nothing is installed that has no hash, and what is wanted differs: PyYAML's fork on 3.13."""
    there = {"python_version": python, "python_full_version": f"{python}.1"}
    locked = {canonicalize_name(item.name) for item in _applying(LOCKED, there)}
    for name in EXTRAS:
        wanted = _applying(metadata.requires(name) or (), there)
        assert {canonicalize_name(item.name) for item in wanted} <= locked, name
