"""The log's leaves in a ledger's file: many to a row, packed as C2SP tlog-tiles does.

A row for each would leave a quarter of its pages empty, and a commit writes whole pages.
Files of earlier releases have such rows: those stay, and what comes later follows them.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence

from signer.audit.tiles import pack, unpack
from signer.ledger.store import StoreError

# Leaves in a row at most: whoever wants one of them reads them all. Later releases may write
# fewer, but must look for as many.
BUNDLE = 64
INSERT = "INSERT INTO bundles VALUES (?, ?)"
_SINGLE = "SELECT idx, body FROM leaves WHERE idx >= ? ORDER BY idx LIMIT ?"
_BUNDLES = "SELECT first, entries FROM bundles WHERE first > ? AND first < ? ORDER BY first"

Leaf = tuple[int, bytes]
"""An index, and the bytes of a record."""


def bundles(leaves: Sequence[Leaf]) -> Iterator[tuple[int, bytes]]:
    """Yield the rows for leaves with consecutive indexes."""
    for at in range(0, len(leaves), BUNDLE):
        part = leaves[at : at + BUNDLE]
        yield part[0][0], pack([body for _, body in part])


def read(
    query: Callable[[str, Sequence[object]], list[tuple[int, bytes]]], start: int, limit: int
) -> list[Leaf]:
    """Return at most ``limit`` leaves from index ``start`` on; ``query`` returns rows.

    Raises:
        StoreError: a row is damaged.
    """
    found = query(_SINGLE, (start, limit))
    if len(found) == limit:
        return found
    after = found[-1][0] + 1 if found else start
    rows = query(_BUNDLES, (after - BUNDLE, start + limit))
    found += (leaf for leaf in _unpacked(rows) if leaf[0] >= after)
    return found[:limit]


def read_all(connection: sqlite3.Connection) -> Iterator[Leaf]:
    """Yield every leaf.

    Raises:
        StoreError: a row is damaged.
    """
    yield from connection.execute("SELECT idx, body FROM leaves ORDER BY idx")
    yield from _unpacked(connection.execute("SELECT first, entries FROM bundles ORDER BY first"))


def _unpacked(rows: Iterator[tuple[int, bytes]] | Sequence[tuple[int, bytes]]) -> Iterator[Leaf]:
    for first, entries in rows:
        try:
            yield from enumerate(unpack(entries), first)
        except ValueError as error:
            raise StoreError(
                f"the leaves from {first} on are damaged: {error}", fatal=True
            ) from None
