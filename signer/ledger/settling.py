"""How approved signings ended, within a later transaction."""

from collections.abc import Sequence

from msgspec.structs import replace

from signer.ledger import entries, holding
from signer.ledger.rows import Request, SignedRow, Standing
from signer.ledger.transaction import Transaction
from signer.model import Outcome


def settle(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes' records, keep signatures, give back what was refused for certain.

    Comes before the transaction's requests, so that they find it done.
    """
    for outcome in outcomes:
        tx.add(entries.settled(tx, outcome))
    tx.store.sign(
        SignedRow(outcome.approval.reservation, outcome.approval.version, outcome.signature)
        for outcome in outcomes
        if outcome.signature is not None
    )
    for outcome in outcomes:
        if outcome.refused and outcome.signature is None:
            _give_back(tx, outcome)


def _give_back(tx: Transaction, outcome: Outcome) -> None:
    row = tx.find(*outcome.approval.subject)
    if row is None or not _only_attempt(row, outcome):
        return
    for charge in row.charges:
        tx.windows.refund(charge, row.decided_ms)
    tx.put(replace(row, standing=Standing.RETURNED, charges=()), row)
    holding.give_back(tx, row.caller, row.request_id)


def _only_attempt(row: Request, outcome: Outcome) -> bool:
    """Whether nothing but this attempt may have made a signature on the reservation."""
    newest = row.decision == outcome.approval.decision
    reserved = row.standing is Standing.RESERVED and row.signature is None
    return newest and not row.resumed and reserved
