"""Certificates and right answers for the load generator's tests."""

from pathlib import Path

import pytest

from loadtest import peers
from loadtest.answers import Signer
from tests.loadtest.samples import POLICY


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the certificates of the echo server and of every caller."""
    directory = tmp_path_factory.mktemp("certificates")
    peers.certificates(directory)
    return directory


@pytest.fixture
def signer() -> Signer:
    """Right answers."""
    return Signer(POLICY)
