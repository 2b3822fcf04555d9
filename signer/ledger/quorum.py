"""Who may act, and whether enough other people agreed: proposals within a transaction.

Everything is judged by the root document in force at that moment: whoever it no longer
names neither acts nor counts.
"""

from policy.root import Root
from signer.errors import (
    OfficerRequiredError,
    OwnProposalError,
    ProposalClosedError,
    ProposalNotFoundError,
    QuorumRequiredError,
)
from signer.ledger.rows import Endorsement, Kind, Progress, Proposal
from signer.ledger.transaction import Transaction


def officer(tx: Transaction, san: str) -> Root:
    """Return the root document, which names this officer.

    Raises:
        OfficerRequiredError: it does not, or there is none.
    """
    if tx.root is None:
        raise OfficerRequiredError("there is no root document, so there are no officers", san)
    if san not in tx.root.officers:
        raise OfficerRequiredError("only an officer of the root document may do this", san)
    return tx.root


def find(tx: Transaction, number: int) -> Proposal:
    """Return a proposal.

    Raises:
        ProposalNotFoundError: there is none of that number.
    """
    found = tx.store.proposals.get(number)
    if found is None:
        raise ProposalNotFoundError(f"there is no proposal {number}")
    return found


def open_(tx: Transaction, number: int) -> Proposal:
    """Return a proposal that can still be approved or rejected.

    Raises:
        ProposalNotFoundError: there is none of that number.
        ProposalClosedError: it was rejected, carried out, or has expired.
    """
    found = find(tx, number)
    if found.progress is not Progress.OPEN:
        raise ProposalClosedError(f"proposal {number} is {found.progress} already")
    if tx.now_ms >= found.expires_ms:
        raise ProposalClosedError(f"proposal {number} has expired; propose it again")
    return found


def needed(root: Root, proposal: Proposal) -> int:
    """Return how many officers other than the author must approve.

    What loosens nothing takes one officer: the author, unless it may only propose.
    """
    if proposal.kind is Kind.ROOT:
        return root.root_quorum
    if proposal.looser:
        return root.quorum
    return 0 if proposal.author in root.officers else 1


def counted(root: Root, proposal: Proposal) -> tuple[Endorsement, ...]:
    """Return the approvals that count: of officers other than the author, oldest first."""
    return tuple(
        one
        for one in sorted(proposal.endorsements, key=lambda one: one.at_ms)
        if one.officer in root.officers and one.officer != proposal.author
    )


def earliest_ms(root: Root, proposal: Proposal) -> int | None:
    """Return when it may be carried out at the earliest; None while approvals are missing.

    The waiting time starts with the last approval that was needed. What loosens
    nothing does not wait.
    """
    count, approvals = needed(root, proposal), counted(root, proposal)
    if len(approvals) < count:
        return None
    reached = approvals[count - 1].at_ms if count else proposal.proposed_ms
    return reached + (root.waiting_ms if proposal.looser else 0)


def endorse(tx: Transaction, proposal: Proposal, san: str) -> Proposal:
    """Add an officer's approval; a second one changes nothing.

    Raises:
        OfficerRequiredError: it is no officer.
        OwnProposalError: it is the author.
    """
    officer(tx, san)
    if san == proposal.author:
        raise OwnProposalError("nobody approves a proposal of their own")
    tx.store.proposals.endorse(proposal.number, Endorsement(san, tx.now_ms))
    return find(tx, proposal.number)


def check(tx: Transaction, proposal: Proposal, san: str) -> None:
    """Check that an officer may carry out a proposal now.

    Raises:
        OfficerRequiredError: it is no officer.
        ProposalClosedError: its author lost the right to propose.
        QuorumRequiredError: approvals are missing, or the waiting time is not over.
    """
    root = officer(tx, san)
    if proposal.author not in root.officers | root.proposers:
        raise ProposalClosedError("its author may no longer propose; propose it again")
    at_ms = earliest_ms(root, proposal)
    if at_ms is None:
        got, count = len(counted(root, proposal)), needed(root, proposal)
        raise QuorumRequiredError(f"it has {got} of {count} approvals of officers but its author")
    if tx.now_ms < at_ms:
        raise QuorumRequiredError(f"its waiting time ends in {_seconds(at_ms - tx.now_ms)} s")


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
