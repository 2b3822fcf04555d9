"""A ledger, its log's key, and a directory to publish to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.logs import Published


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Published]:
    """A published log, so far without entries."""
    made = Published(tmp_path)
    yield made
    made.close()
