"""What officers do about proposals of documents, each step within one transaction.

A proposal is bound to its document's hash and to the version that it replaces. Once
that version is not in force any more, the proposal is stale for good: no step on it
succeeds, and an old document only comes back as a new proposal.
"""

from hashlib import sha256
from typing import NamedTuple

from policy.root import Root
from signer.audit import record
from signer.errors import (
    DocumentUnchangedError,
    OfficerRequiredError,
    ProposalMismatchError,
    ProposalNotFoundError,
    ProposalStaleError,
)
from signer.ledger import control, quorum
from signer.ledger.rows import DOCUMENTS, Kind, Progress, Proposal, State
from signer.ledger.seeding import Seeding
from signer.ledger.transaction import Transaction


class Draft(NamedTuple):
    """A document that somebody proposes, and whether it loosens its base."""

    kind: Kind
    base: int
    document: str
    author: str
    reason: str
    looser: bool


def in_force(state: State, kind: Kind) -> int:
    """Return the version in force of a kind of document, 0 for none."""
    return (state.root_version if kind is Kind.ROOT else state.policy_version) or 0


def check_author(root: Root | None, san: str) -> Root:
    """Return the root document, which lets somebody propose.

    Raises:
        OfficerRequiredError: it does not, or there is none.
    """
    if root is None or san not in root.officers | root.proposers:
        raise OfficerRequiredError("only whom the root document names may propose", san)
    return root


def propose(tx: Transaction, draft: Draft, seeding: Seeding | None = None) -> Proposal:
    """Store a proposal; what takes nobody else's approval is put in force at once.

    The same document against the same base is the same proposal, until it expires.

    Raises:
        OfficerRequiredError: the author may not propose.
        ProposalStaleError: the base is not the version in force.
        DocumentUnchangedError: the document is the one in force.
    """
    root = check_author(tx.root, draft.author)
    digest = sha256(draft.document.encode()).hexdigest()
    _check_base(tx, draft.kind, draft.base)
    if tx.store.documents.digest(draft.kind, draft.base) == digest:
        raise DocumentUnchangedError(f"version {draft.base}, in force, is this document")
    known = tx.store.proposals.of(draft.kind, draft.base, digest)
    if known is not None and (known.progress is not Progress.OPEN or tx.now_ms < known.expires_ms):
        return known
    made = _add(tx, root, draft, digest)
    tx.state = tx.state._replace(control_seq=tx.state.control_seq + 1)  # others look ahead
    _record(tx, "proposal.made", made, draft.author, draft.reason)
    return made if quorum.needed(root, made) else _put_in_force(tx, made, draft.author, seeding)


def approve(tx: Transaction, number: int, digest: str, by: str) -> Proposal:
    """Count an officer's approval of the document with this hash.

    Raises:
        SigngateError: see ``quorum.endorse`` and ``_open``.
        ProposalMismatchError: the proposal is of another document.
    """
    found = _open(tx, number)
    if digest != found.sha256:
        raise ProposalMismatchError(f"proposal {number} is of another document than was read")
    approved = quorum.endorse(tx, found, by)
    if approved.endorsements != found.endorsements:
        _record(tx, "proposal.approved", approved, by)
    return approved


def reject(tx: Transaction, number: int, by: str, reason: str) -> Proposal:
    """End a proposal for good; one officer can, the author among them.

    Raises:
        SigngateError: see ``quorum.officer`` and ``quorum.open_``.
    """
    quorum.officer(tx, by)
    found = _document(quorum.open_(tx, number))
    tx.store.proposals.end(number, Progress.REJECTED)
    _record(tx, "proposal.rejected", found, by, reason)
    return found._replace(progress=Progress.REJECTED)


def activate(tx: Transaction, number: int, by: str, seeding: Seeding | None = None) -> Proposal:
    """Put a document in force that has its approvals and has waited.

    Raises:
        SigngateError: see ``quorum.check`` and ``_open``.
    """
    found = _open(tx, number)
    quorum.check(tx, found, by)
    return _put_in_force(tx, found, by, seeding)


def _open(tx: Transaction, number: int) -> Proposal:
    found = _document(quorum.open_(tx, number))
    _check_base(tx, found.kind, found.base)
    return found


def _document(found: Proposal) -> Proposal:
    if found.kind not in DOCUMENTS:
        raise ProposalNotFoundError(f"there is no proposal {found.number} of a document")
    return found


def _check_base(tx: Transaction, kind: Kind, base: int) -> None:
    active = in_force(tx.state, kind)
    if base != active:
        raise ProposalStaleError(f"it replaces {kind} version {base}, but {active} is in force")


def _add(tx: Transaction, root: Root, draft: Draft, digest: str) -> Proposal:
    made = Proposal(
        number=0,
        kind=draft.kind,
        base=draft.base,
        sha256=digest,
        body=draft.document,
        author=draft.author,
        reason=draft.reason,
        looser=draft.looser or draft.kind is Kind.ROOT,
        proposed_ms=tx.now_ms,
        expires_ms=tx.now_ms + root.proposal_life_ms,
    )
    return made._replace(number=tx.store.proposals.add(made))


def _put_in_force(
    tx: Transaction, proposal: Proposal, by: str, seeding: Seeding | None
) -> Proposal:
    approvals = quorum.counted(tx.root, proposal) if tx.root else ()
    members = {
        "proposal": named(proposal),
        "approvals": tuple(one.officer for one in approvals),
    }
    if proposal.kind is Kind.ROOT:
        control.activate_root(tx, proposal.body, by, **members)
    else:
        control.activate(tx, proposal.body, by, seeding, **members)
    tx.store.proposals.end(proposal.number, Progress.DONE)
    return proposal._replace(progress=Progress.DONE)


def _record(tx: Transaction, event: str, proposal: Proposal, by: str, reason: str = "") -> None:
    tx.append(event=event, outcome="ok", by=by, proposal=named(proposal), detail=reason or None)


def named(proposal: Proposal) -> record.Proposal:
    """Return how records name a proposal."""
    return record.Proposal(
        proposal.number,
        proposal.kind.value,
        proposal.base,
        proposal.sha256,
        proposal.author,
        "looser" if proposal.looser else "tighter",
    )
