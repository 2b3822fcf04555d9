"""Whose approvals count, and from when on: the rules that every proposal shares."""

import pytest

from policy.root import load
from signer.errors import (
    OfficerRequiredError,
    OwnProposalError,
    ProposalClosedError,
    ProposalNotFoundError,
    QuorumRequiredError,
)
from signer.ledger import quorum
from signer.ledger.rows import Endorsement, Kind, Proposal
from signer.ledger.transaction import Transaction
from tests.support.ledgers import HOUR, START_MS, Bench

A, B, C, D = (f"spiffe://firm.example/officer/{name}" for name in "abcd")
CI = "spiffe://firm.example/ci"
TEXT = f"""
schema = 1
officers = ["{A}", "{B}", "{C}", "{D}"]
proposers = ["{CI}"]
quorum = 2
root_quorum = 3
waiting_time = "1h"
"""
ROOT = load(TEXT)
PROPOSAL = Proposal(0, Kind.POLICY, 1, "", "", A, "", True, START_MS, START_MS + 9 * HOUR)  # noqa: FBT003 - a row


def votes(*officers: str) -> tuple[Endorsement, ...]:
    """Return approvals, a minute apart."""
    return tuple(Endorsement(san, START_MS + 60_000 * at) for at, san in enumerate(officers))


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, 2),
        ({"kind": Kind.UNFREEZE}, 2),
        ({"kind": Kind.ROOT}, 3),
        ({"looser": False}, 0),
        ({"looser": False, "author": CI}, 1),
        ({"author": CI}, 2),
    ],
)
def test_how_many_must_agree(changes: dict[str, object], needed: int) -> None:
    """Loosening takes the quorum, the root a larger one, tightening one officer in all."""
    assert quorum.needed(ROOT, PROPOSAL._replace(**changes)) == needed  # type: ignore[arg-type] # fields by name


@pytest.mark.parametrize(
    ("officers", "earliest_ms"),
    [
        ((), None),
        ((B,), None),
        ((B, A), None),
        ((B, CI), None),
        ((B, "spiffe://firm.example/officer/gone"), None),
        ((B, C), START_MS + 60_000 + HOUR),
        ((A, B, D, C), START_MS + 120_000 + HOUR),
    ],
)
def test_whose_approvals_count(officers: tuple[str, ...], earliest_ms: int | None) -> None:
    """Only those of present officers other than the author; the wait starts with the last."""
    proposal = PROPOSAL._replace(endorsements=votes(*officers))
    assert quorum.earliest_ms(ROOT, proposal) == earliest_ms


def test_tightening_does_not_wait() -> None:
    """What loosens nothing can be carried out from the moment it is proposed."""
    assert quorum.earliest_ms(ROOT, PROPOSAL._replace(looser=False)) == START_MS


def test_a_proposal_from_its_first_approval_to_its_quorum(bench: Bench) -> None:
    """Approvals are kept once for each officer; then the waiting time is all that is missing."""
    bench.open().bootstrap_root(TEXT, "test")

    def first(tx: Transaction) -> int:
        number = tx.store.proposals.add(PROPOSAL)
        for san in (B, B):
            quorum.endorse(tx, quorum.open_(tx, number), san)
        with pytest.raises(QuorumRequiredError, match="has 1 of 2 approvals"):
            quorum.check(tx, quorum.find(tx, number), A)
        with pytest.raises(OwnProposalError):
            quorum.endorse(tx, quorum.find(tx, number), A)
        with pytest.raises(OfficerRequiredError, match="only an officer"):
            quorum.endorse(tx, quorum.find(tx, number), CI)
        return number

    def second(tx: Transaction) -> None:
        found = quorum.endorse(tx, quorum.open_(tx, 1), C)
        assert [one.officer for one in found.endorsements] == [B, C]
        with pytest.raises(QuorumRequiredError, match="waiting time ends in 3600 s"):
            quorum.check(tx, found, A)

    assert bench.opened[0]._writer.submit(first) == 1
    bench.opened[0]._writer.submit(second)
    bench.clock.now += HOUR
    ready = bench.open()._writer
    ready.submit(lambda tx: quorum.check(tx, quorum.open_(tx, 1), D))
    bench.clock.now += 8 * HOUR
    with pytest.raises(ProposalClosedError, match="has expired"):
        ready.submit(lambda tx: quorum.open_(tx, 1))
    with pytest.raises(ProposalNotFoundError, match="no proposal 2"):
        ready.submit(lambda tx: quorum.open_(tx, 2))


def test_an_author_who_left_carries_nothing(bench: Bench) -> None:
    """A proposal of somebody whom the root document names no longer is closed."""
    ledger = bench.open()
    with pytest.raises(OfficerRequiredError, match="there is no root document"):
        ledger._writer.submit(lambda tx: quorum.officer(tx, A))
    ledger.bootstrap_root(TEXT, "test")
    left = PROPOSAL._replace(author="spiffe://firm.example/officer/gone", endorsements=votes(B, C))
    with pytest.raises(ProposalClosedError, match="author may no longer"):
        ledger._writer.submit(lambda tx: quorum.check(tx, left, B))


def test_the_first_root_document_stays(bench: Bench) -> None:
    """A bootstrap is recorded, and changes nothing where there has been a root document."""
    ledger = bench.open()
    assert ledger.bootstrap_root(TEXT, "one") == 1
    size = ledger.size()
    assert ledger.bootstrap_root(TEXT.replace("quorum = 2", "quorum = 1"), "two") == 1
    assert ledger.size() == size
    assert bench.open()._writer.submit(lambda tx: tx.root) == ROOT
