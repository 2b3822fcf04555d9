"""The leaves in a ledger's file, for tests that read or change them behind its back."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from signer.audit.tiles import pack
from signer.ledger.leaves import INSERT, read_all


def stored(path: Path) -> dict[int, bytes]:
    """Return all of them by index."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(read_all(connection))


def edit(path: Path, change: Callable[[dict[int, bytes]], object]) -> None:
    """Change them; each has a row of its own then."""
    leaves = stored(path)
    change(leaves)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM bundles")
        rows = [(index, pack([body])) for index, body in leaves.items()]
        connection.executemany(INSERT, rows)
