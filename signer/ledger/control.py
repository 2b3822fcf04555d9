"""Policies and root documents: what security officers put in force, within a transaction."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from signer.audit import record
from signer.ledger.rows import DocumentRow, Kind
from signer.ledger.seeding import Seeding
from signer.ledger.transaction import Transaction
from signer.model import Limited


def opened(tx: Transaction) -> None:
    """Record that a process opened the ledger."""
    tx.append(event="log.opened", outcome="ok", policy=tx.policy and tx.policy.named)


def limited(tx: Transaction, refused: Mapping[Limited, int]) -> None:
    """Record how many requests of each caller the rate limits refused, by which of them."""
    for caller in sorted({caller for caller, _ in refused}):
        counts = sorted((by, count) for (who, by), count in refused.items() if who == caller)
        tx.append(
            event="rate.limited",
            outcome="refused",
            caller=record.Caller(caller),
            detail=", ".join(f"{by}: {count}" for by, count in counts),
        )


def activate(
    tx: Transaction, text: str, by: str, seeding: Seeding | None = None, **members: Any
) -> int:
    """Put a document in force; the one that is in force already stays the same version.

    ``seeding`` has read most of the history that new windows need; ``members`` are
    added to the record.
    """
    digest = sha256(text.encode()).hexdigest()
    if tx.policy is not None and tx.policy.named.sha256 == digest:
        return tx.policy.version
    old = tx.policy.policy if tx.policy else None
    version = tx.store.documents.newest(Kind.POLICY) + 1
    tx.store.documents.add(Kind.POLICY, DocumentRow(version, digest, text, tx.now_ms))
    tx.windows.drop_expired()
    tx.state = tx.state._replace(policy_version=version)
    tx.load_control()
    if tx.policy is not None:
        (seeding or Seeding(old, tx.policy.policy)).write(tx)
    named = record.Policy(version, digest)
    tx.append(event="policy.activated", outcome="ok", policy=named, by=by, **members)
    return version


def bootstrap(tx: Transaction, text: str, by: str) -> int:
    """Put a document in force only if there has never been one."""
    return activate(tx, text, by) if tx.policy is None else tx.policy.version


def activate_root(tx: Transaction, text: str, by: str, **members: Any) -> int:
    """Put a root document in force; the one that is in force already stays the same version."""
    digest = sha256(text.encode()).hexdigest()
    if tx.root is not None and tx.state.root_version and tx.root.sha256 == digest:
        return tx.state.root_version
    version = tx.store.documents.newest(Kind.ROOT) + 1
    tx.store.documents.add(Kind.ROOT, DocumentRow(version, digest, text, tx.now_ms))
    tx.state = tx.state._replace(root_version=version)
    tx.load_control()
    named = record.Policy(version, digest)
    tx.append(event="root.activated", outcome="ok", root=named, by=by, **members)
    return version


def bootstrap_root(tx: Transaction, text: str, by: str) -> int:
    """Put a root document in force only if there has never been one."""
    return tx.state.root_version or activate_root(tx, text, by)
