"""Verifying a ledger file on its own, such as after a crash: leaves against the head."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from signer.audit.merkle import Tree, leaf_hash
from signer.audit.verify import VerificationError
from signer.ledger import leaves
from signer.ledger.rows import State
from signer.ledger.sqlite import STATE, connect
from signer.ledger.store import StoreError
from signer.ledger.transaction import tree


def verify_ledger(path: Path) -> tuple[int, bytes]:
    """Check that the leaves are all there and hash to the stored head; return size and root.

    This shows damage. It cannot show tampering by somebody who rewrote the head
    too: for that the checkpoints were published.

    Raises:
        VerificationError: which leaf is wrong, or what cannot be read.
    """
    try:
        with closing(connect(path, "ro")) as connection:
            connection.execute("BEGIN")  # one snapshot, whatever is written meanwhile
            return _verify(connection)
    except (sqlite3.Error, StoreError) as error:
        raise VerificationError(f"{path}: {error}") from None


def _verify(connection: sqlite3.Connection) -> tuple[int, bytes]:
    stored = tree(State(*connection.execute(STATE).fetchone()))
    found = Tree()
    for index, body in leaves.read_all(connection):
        if index != found.size:
            raise VerificationError(f"leaf {found.size} is missing")
        if _index(body) != index:
            raise VerificationError(f"leaf {index} does not say that it is leaf {index}")
        found.append(leaf_hash(body))
    if found.size != stored.size:
        raise VerificationError(f"there are {found.size} leaves; the head says {stored.size}")
    if found.root() != stored.root():
        raise VerificationError(f"the {found.size} leaves do not hash to the stored head")
    return stored.size, stored.root()


def _index(body: bytes) -> object:
    try:
        return json.loads(body)["index"]
    except (ValueError, KeyError, TypeError):
        return None
