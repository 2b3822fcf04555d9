"""The lifecycle of documents, step by step over a real ledger."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from signer.errors import (
    DocumentInvalidError,
    DocumentUnchangedError,
    OfficerRequiredError,
    ProposalClosedError,
    ProposalNotFoundError,
    QuorumRequiredError,
    VersionNotFoundError,
)
from signer.ledger import Ledger
from signer.ledger.rows import Kind, Proposal
from signer.ledger.transaction import Transaction
from signer.policies import Policies, Stage
from tests.support.ledgers import (
    HOUR,
    POLICY,
    SECOND,
    START_MS,
    Bench,
    code,
    granted,
    last,
    one,
    pay,
)
from tests.support.officers import (
    BOTH,
    CI,
    LOOSER,
    ROOT,
    STRANGER,
    TIGHTER,
    A,
    B,
    C,
    approve,
    directions,
    office,
    propose,
)

Step = Callable[[], object]
WEEK = 7 * 24 * HOUR
SLOW = f'{ROOT}waiting_time = "2h"\nproposal_life = "1d"\n'
NOTHING = "schema = 1\n"


@pytest.fixture
def policies(ledger: Ledger) -> Policies:
    """The officers' service over a ledger with a policy and a root document."""
    return office(ledger)


def test_tightening_takes_one_officer(ledger: Ledger, policies: Policies) -> None:
    """What is proven to allow nothing new is in force at once, with a leaf for each step."""
    view = propose(policies, TIGHTER)
    assert (view.stage, view.needed, view.approvers) == (Stage.ACTIVATED, 0, ())
    assert code(one(ledger, pay(5001))) == "LIMIT_PER_REQUEST"
    digest = sha256(TIGHTER.encode()).hexdigest()
    [made, activated] = ledger.leaves(ledger.size() - 3, 2)
    assert b'"event":"proposal.made"' in made[1]
    assert b'"event":"policy.activated"' in activated[1]
    assert f'"base":1,"sha256":"{digest}","author":"{A}","direction":"tighter"' in str(made[1])
    assert policies.in_force(Kind.POLICY) == 2


def test_loosening_takes_a_quorum(ledger: Ledger, policies: Policies) -> None:
    """It is in force once another officer approved and somebody activates it, and not before."""
    view = propose(policies, LOOSER)
    assert (view.stage, view.needed, view.earliest_ms) == (Stage.PENDING, 1, None)
    with pytest.raises(QuorumRequiredError, match="has 0 of 1 approvals"):
        policies.activate(view.proposal.number, A)
    assert code(one(ledger, pay(20_000, id="early"))) == "LIMIT_PER_REQUEST"
    approved = approve(policies, view)
    assert (approved.stage, approved.approvers) == (Stage.APPROVED, (B,))
    assert last(ledger)["event"] == "proposal.approved"
    assert code(one(ledger, pay(20_000, id="still"))) == "LIMIT_PER_REQUEST"
    assert policies.activate(view.proposal.number, A).stage is Stage.ACTIVATED
    record = last(ledger)
    assert (record["event"], record["by"], record["approvals"]) == ("policy.activated", A, [B])
    assert record["proposal"]["direction"] == "looser"
    granted(ledger, pay(20_000, id="now"))


def test_tightenings_do_not_make_up_for_a_loosening(policies: Policies) -> None:
    """One loosening among tightenings makes the whole document wait for the quorum."""
    assert directions(policies.changes(Kind.POLICY, 1, BOTH)) == {"looser", "tighter"}
    assert propose(policies, BOTH).stage is Stage.PENDING


def test_proposing_again_is_the_same_proposal(ledger: Ledger, policies: Policies) -> None:
    """The same document against the same base changes and records nothing, whoever repeats it."""
    view = propose(policies, LOOSER)
    size = ledger.size()
    assert propose(policies, LOOSER) == propose(policies, LOOSER, by=CI) == view
    assert ledger.size() == size
    assert propose(policies, LOOSER + "# again").proposal.number == 2


def test_what_is_in_force_cannot_be_proposed(policies: Policies) -> None:
    """The document in force is named as such, so that a job can be run again."""
    with pytest.raises(DocumentUnchangedError, match="version 1, in force, is this document"):
        propose(policies, POLICY)


def test_a_second_approval_by_one_officer_counts_once(ledger: Ledger, policies: Policies) -> None:
    """It changes and records nothing."""
    view = approve(policies, propose(policies, LOOSER))
    size = ledger.size()
    assert approve(policies, view) == view
    assert ledger.size() == size


def test_a_proposer_is_no_officer(policies: Policies) -> None:
    """A job that may propose approves nothing, and even its tightening takes an officer."""
    view = propose(policies, TIGHTER, by=CI)
    assert (view.stage, view.needed) == (Stage.PENDING, 1)
    steps: tuple[Step, ...] = (
        lambda: approve(policies, view, by=CI),
        lambda: policies.reject(1, CI, "no"),
        lambda: policies.activate(1, CI),
    )
    for step in steps:
        with pytest.raises(OfficerRequiredError):
            step()
    approve(policies, view)
    assert policies.activate(1, B).stage is Stage.ACTIVATED


def test_a_rejection_is_for_good(ledger: Ledger, policies: Policies) -> None:
    """Nothing more can be done with a rejected proposal; proposing it again finds it so."""
    view = propose(policies, LOOSER)
    assert policies.reject(1, A, "a mistake").stage is Stage.REJECTED
    record = last(ledger)
    assert (record["event"], record["detail"]) == ("proposal.rejected", "a mistake")
    steps: tuple[Step, ...] = (
        lambda: approve(policies, view),
        lambda: policies.reject(1, B, "me, too"),
        lambda: policies.activate(1, B),
    )
    for step in steps:
        with pytest.raises(ProposalClosedError, match="rejected already"):
            step()
    assert propose(policies, LOOSER).stage is Stage.REJECTED


def test_a_proposal_expires(bench: Bench, ledger: Ledger, policies: Policies) -> None:
    """After its life it can be proposed again, and starts without approvals."""
    view = approve(policies, propose(policies, LOOSER))
    bench.clock.now = START_MS + WEEK - 1
    assert policies.get(1).stage is Stage.APPROVED
    bench.clock.now += 1
    assert policies.get(1).stage is Stage.EXPIRED
    with pytest.raises(ProposalClosedError, match="has expired; propose it again"):
        policies.activate(1, A)
    again = propose(policies, LOOSER)
    assert (again.proposal.number, again.stage) == (2, Stage.PENDING)
    assert view.proposal.sha256 == again.proposal.sha256


def test_the_waiting_time_starts_with_the_last_approval(bench: Bench, ledger: Ledger) -> None:
    """Loosening waits for it, to the millisecond; tightening does not."""
    policies = office(ledger, SLOW)
    view = propose(policies, LOOSER)
    bench.clock.now += HOUR
    approved = approve(policies, view)
    assert approved.earliest_ms == START_MS + 3 * HOUR
    bench.clock.now = START_MS + 3 * HOUR - 1
    with pytest.raises(QuorumRequiredError, match="ends in 1 s"):
        policies.activate(1, A)
    bench.clock.now += 1
    assert policies.activate(1, A).stage is Stage.ACTIVATED
    assert propose(policies, TIGHTER, base=2).stage is Stage.ACTIVATED


def test_a_clock_that_is_set_forward_and_back_ends_no_wait(bench: Bench, ledger: Ledger) -> None:
    """The ledger's time never goes back, so an expired proposal stays expired."""
    policies = office(ledger, SLOW)
    approve(policies, propose(policies, LOOSER))
    bench.clock.now += 24 * HOUR
    granted(ledger, pay(1))
    bench.clock.now = START_MS + 3 * HOUR
    assert policies.get(1).stage is Stage.EXPIRED
    with pytest.raises(ProposalClosedError, match="expired"):
        policies.activate(1, A)


def test_a_roll_back_is_a_proposal(ledger: Ledger, policies: Policies) -> None:
    """Back to a looser version takes the quorum; the version is new, the document the same."""
    propose(policies, TIGHTER)
    view = policies.roll_back(Kind.POLICY, 1, A, "too tight")
    assert (view.stage, view.proposal.base) == (Stage.PENDING, 2)
    approve(policies, view)
    policies.activate(view.proposal.number, B)
    versions = policies.versions(Kind.POLICY, 99, 10)
    assert [row.version for row in versions] == [3, 2, 1]
    assert versions[0].sha256 == versions[2].sha256
    tighter = policies.roll_back(Kind.POLICY, 2, A, "tighter again")
    assert tighter.stage is Stage.ACTIVATED
    with pytest.raises(VersionNotFoundError, match="no version 9"):
        policies.roll_back(Kind.POLICY, 9, A, "there is none")
    granted(ledger, pay(1))


def test_keys_that_the_token_lacks_are_named(ledger: Ledger, policies: Policies) -> None:
    """They are refused when they are proposed, and recorded; not when they come into force."""
    with pytest.raises(DocumentInvalidError, match=r"can't sign with keys/other/versions/1 \(ed"):
        propose(policies, POLICY.replace("keys.pay", "keys.other"))
    assert last(ledger)["outcome"] == "document_invalid"
    with pytest.raises(DocumentInvalidError, match="is required"):
        propose(policies, NOTHING)
    with pytest.raises(DocumentInvalidError, match=r"keys/pay/versions/2 \(ed25519\)"):
        propose(policies, POLICY.replace("[keys.pay]", "[keys.pay]\nversion = 2"))


def test_a_key_that_went_missing_is_named_at_activation(ledger: Ledger, policies: Policies) -> None:
    """What the token could sign with when it was proposed is looked at again, and recorded."""
    view = approve(policies, propose(policies, LOOSER))
    emptied = Policies(ledger.lifecycle, lambda *_: False)
    with pytest.raises(DocumentInvalidError, match="keys/pay/versions/1"):
        emptied.activate(view.proposal.number, A)
    record = last(ledger)
    assert (record["event"], record["outcome"]) == ("proposal.activated", "document_invalid")
    assert record["proposal"]["number"] == view.proposal.number
    assert emptied.shown(view.proposal) == ()
    assert policies.shown(view.proposal) != ()


def test_what_is_wrong_fits_into_a_status(policies: Policies) -> None:
    """Of very many problems the first are told, and how many more there are."""
    wrong = "".join(f"[addresses.A{number}]\n'{'x' * 999}' = ''\n" for number in range(500))
    with pytest.raises(DocumentInvalidError, match=r"and [0-9]+ more$") as raised:
        propose(policies, POLICY + wrong)
    assert len(str(raised.value)) < 4000


def test_a_first_policy_takes_the_quorum(bench: Bench) -> None:
    """Where nothing is in force everything is looser; the base is version 0."""
    ledger = bench.open(policy=None)
    policies = office(ledger)
    view = propose(policies, POLICY, base=0)
    assert view.stage is Stage.PENDING
    approve(policies, view)
    policies.activate(1, C)
    granted(ledger, pay(1))


def test_root_changes_take_the_larger_quorum(ledger: Ledger, policies: Policies) -> None:
    """Even a stricter root document takes the old root's quorum of others."""
    stricter = ROOT.replace("quorum = 1\n", "quorum = 2\n")
    view = propose(policies, stricter, kind=Kind.ROOT)
    assert (view.stage, view.needed, view.proposal.looser) == (Stage.PENDING, 2, True)
    approve(policies, view, B)
    with pytest.raises(QuorumRequiredError, match="has 1 of 2"):
        policies.activate(1, C)
    approve(policies, view, C)
    assert policies.activate(1, A).stage is Stage.ACTIVATED
    record = last(ledger)
    assert (record["event"], record["root"]["version"]) == ("root.activated", 2)
    assert propose(policies, LOOSER).needed == 2
    with pytest.raises(DocumentInvalidError, match="officers"):
        propose(policies, ROOT.replace(B, A), base=2, kind=Kind.ROOT)


def test_an_officer_who_left_neither_acts_nor_counts(policies: Policies) -> None:
    """An approval from before the root document changed no longer counts."""
    approve(policies, propose(policies, LOOSER), B)
    without = ROOT.replace(f'"{B}", ', "").replace("root_quorum = 2", "root_quorum = 1")
    change = propose(policies, without, kind=Kind.ROOT)
    for officer in (B, C):
        approve(policies, change, officer)
    policies.activate(change.proposal.number, A)
    assert policies.get(1).approvers == ()
    with pytest.raises(QuorumRequiredError, match="has 0 of 1"):
        policies.activate(1, A)
    with pytest.raises(OfficerRequiredError):
        approve(policies, policies.get(1), B)


@pytest.mark.parametrize("by", [A, STRANGER])
def test_without_a_root_document_nobody_acts(ledger: Ledger, by: str) -> None:
    """No root document, no officers: even tightening is refused, and recorded."""
    policies = office(ledger, root=None)
    with pytest.raises(OfficerRequiredError):
        propose(policies, TIGHTER, by=by)
    assert (last(ledger)["outcome"], last(ledger)["by"]) == ("officer_required", by)
    assert policies.recent(99, 9) == []


def test_a_stranger_does_nothing(ledger: Ledger, policies: Policies) -> None:
    """Whom the root document does not name takes no step, and each try is recorded."""
    view = propose(policies, LOOSER)
    size = ledger.size()
    steps: tuple[Step, ...] = (
        lambda: propose(policies, TIGHTER, by=STRANGER),
        lambda: approve(policies, view, STRANGER),
        lambda: policies.reject(1, STRANGER, "no"),
        lambda: policies.activate(1, STRANGER),
    )
    for step in steps:
        with pytest.raises(OfficerRequiredError):
            step()
        assert last(ledger)["by"] == STRANGER
    assert ledger.size() == size + 4
    assert policies.get(1) == view


def test_what_is_not_there(policies: Policies) -> None:
    """A proposal or version that does not exist is said so, and nothing else happens."""
    steps: tuple[Step, ...] = (
        lambda: policies.get(1),
        lambda: policies.activate(1, A),
        lambda: policies.reject(1, A, "no"),
        lambda: policies.approve(1, "", A),
    )
    for step in steps:
        with pytest.raises(ProposalNotFoundError, match="no proposal 1"):
            step()
    with pytest.raises(VersionNotFoundError):
        policies.version(Kind.ROOT, 2)


def test_the_end_of_a_freeze_is_no_document(ledger: Ledger) -> None:
    """What officers ask for elsewhere can't be approved, ended or read as a document here."""
    policies = office(ledger)

    def ask(tx: Transaction) -> int:
        row = Proposal(0, Kind.UNFREEZE, 1, "0" * 64, "unfreeze all", A, "", True, 0, 1 << 62)  # noqa: FBT003 - a row
        return tx.store.proposals.add(row)

    number = ledger._writer.submit(ask)
    steps: tuple[Step, ...] = (
        lambda: policies.get(number),
        lambda: policies.approve(number, "0" * 64, B),
        lambda: policies.reject(number, B, "no"),
        lambda: policies.activate(number, B),
    )
    for step in steps:
        with pytest.raises(ProposalNotFoundError):
            step()
    assert policies.recent(99, 9) == []


def test_every_stage_is_listed(bench: Bench, policies: Policies) -> None:
    """The list is newest first, and tells where each proposal stands now."""
    propose(policies, LOOSER)
    bench.clock.now += SECOND
    policies.reject(propose(policies, LOOSER + "#").proposal.number, B, "no")
    propose(policies, TIGHTER)
    assert [view.stage for view in policies.recent(99, 9)] == [
        Stage.ACTIVATED,
        Stage.REJECTED,
        Stage.STALE,
    ]
    assert [view.proposal.number for view in policies.recent(3, 1)] == [2]
