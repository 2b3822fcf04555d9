"""Ways round a policy by editing it: each is refused by name, or waits for other people."""

import json
import multiprocessing
from collections.abc import Callable

import pytest

from signer.errors import (
    DocumentInvalidError,
    OfficerRequiredError,
    OwnProposalError,
    ProposalMismatchError,
    ProposalStaleError,
    QuorumRequiredError,
)
from signer.ledger import Ledger
from signer.ledger.ledger import wall_clock
from signer.ledger.rows import Kind
from signer.policies import Policies, Stage
from tests.support.ledger_processes import activate, pay_on
from tests.support.ledgers import POLICY, Bench, granted, pay
from tests.support.officers import (
    LOOSER,
    ROOT,
    TIGHTER,
    A,
    B,
    C,
    approve,
    office,
    propose,
)

LIMITS = POLICY[POLICY.index("[[keys.pay.limits]]") :]
GRANT = POLICY[POLICY.index("[[keys.pay.grants]]") : POLICY.index("[[keys.pay.limits]]")]
OTHER_GRANT = GRANT.replace("friends", "others", 1).replace("alice", "mallory")
CALLERS = 'callers = ["spiffe://firm.example/alice"]'
SECOND_ASSET = "\n[assets.EUR]\ndecimals = 2\n"


@pytest.fixture
def policies(ledger: Ledger) -> Policies:
    """The officers' service over the usual policy."""
    return office(ledger)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (LIMITS, "", "keys.pay.limits: "),
        ('windows = [{ span = "1h", total = "1000" }]', "", "keys.pay.limits[0].windows: "),
        (CALLERS, "callers = []", "must not be empty"),
        ('"bob" = "a friend"\n"carol" = "another"\n', "", "addresses.friends"),
        ('destinations = ["@friends"]', "", "destinations"),
        ('action = "intent.transfer"', 'action = "intent.transfer"\nadmin = true', "unknown field"),
        ("schema = 1", "schema = 1\nbypass = true", "bypass: unknown field"),
        (CALLERS, 'callers = ["spiffe://firm.example/*"]', "has a wildcard"),
        (CALLERS, 'callers = ["spiffe://firm.ex\u0430mple/alice"]', "has the character U+0430"),
        (CALLERS, 'callers = ["spiffe://firm.example/alice "]', "is not a caller"),
        ('per_request = "100"', "per_request = 100", 'write "100" in quotes'),
        ('per_request = "100"', 'per_request = "1e9"', "1e9"),
        ('span = "1h"', 'span = "1H"', "is not a span"),
        ("[assets.USD]\ndecimals = 2", "[assets.usd]\ndecimals = 2", "USD is not defined"),
    ],
)
def test_no_such_document_can_be_proposed(
    ledger: Ledger, policies: Policies, old: str, new: str, problem: str
) -> None:
    """What would say less than its author thinks is refused, with its place."""
    assert POLICY.count(old) == 1
    with pytest.raises(DocumentInvalidError) as raised:
        propose(policies, POLICY.replace(old, new))
    assert problem in str(raised.value)
    assert policies.in_force(Kind.POLICY) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('per_request = "100"', 'per_request = "100.01"'),
        ('total = "1000"', "count = 1"),
        ('span = "1h"', 'span = "59m"'),
        ('"carol" = "another"', '"carol" = "another"\n"mallory" = "a friend"'),
        (CALLERS, 'callers = ["spiffe://firm.example/a1ice"]'),
        ('validators = ["spiffe://firm.example/alice"]', 'validators = ["ci.firm.example"]'),
        (CALLERS, CALLERS.replace("]", ', "spiffe://firm.example/mallory"]')),
        ('destinations = ["@friends"]', 'destinations = ["@friends", "mallory"]'),
        ("decimals = 2", "decimals = 0"),
        ('payloads = ["intent"]', 'payloads = ["intent", "other"]'),
        ("[[keys.pay.limits]]", f"{OTHER_GRANT}\n[[keys.pay.limits]]"),
    ],
)
def test_what_loosens_waits_for_others(policies: Policies, old: str, new: str) -> None:
    """However harmless it looks, and whatever is tightened beside it."""
    assert POLICY.count(old) == 1
    beside = POLICY.replace('"bob" = "a friend"\n', "").replace(old, new)
    for document in (POLICY.replace(old, new), beside):
        view = propose(policies, document)
        assert (view.stage, view.needed) == (Stage.PENDING, 1)
    assert policies.in_force(Kind.POLICY) == 1


def test_an_asset_does_not_lose_its_limit_by_a_new_name(ledger: Ledger, policies: Policies) -> None:
    """Renaming it takes the quorum, and what was spent under the old name still counts."""
    eur = POLICY + SECOND_ASSET
    renamed = eur.replace("USD", "DOLLAR")
    propose(policies, eur)
    for number in range(9):
        granted(ledger, pay(10_000, id=f"{number}"))
    view = propose(policies, renamed, base=2)
    assert view.stage is Stage.PENDING


def test_an_old_version_cannot_be_replayed(policies: Policies) -> None:
    """A proposal dies with its base: approved before, it is worth nothing after."""
    view = approve(policies, propose(policies, LOOSER))
    propose(policies, TIGHTER)
    steps: tuple[Callable[[], object], ...] = (
        lambda: policies.activate(view.proposal.number, B),
        lambda: approve(policies, view, C),
        lambda: propose(policies, LOOSER),
    )
    for step in steps:
        with pytest.raises(ProposalStaleError, match="but 2 is in force"):
            step()
    again = policies.roll_back(Kind.POLICY, 1, A, "back")
    assert (again.stage, again.approvers) == (Stage.PENDING, ())
    with pytest.raises(QuorumRequiredError):
        policies.activate(again.proposal.number, A)


def test_the_same_documents_in_turn_need_new_approvals(policies: Policies) -> None:
    """A, then B, then A again: the approvals of the first time do not count."""
    propose(policies, TIGHTER)
    first = approve(policies, policies.roll_back(Kind.POLICY, 1, A, "back"))
    policies.activate(first.proposal.number, A)
    propose(policies, TIGHTER, base=3)
    second = policies.roll_back(Kind.POLICY, 1, A, "back again")
    assert second.proposal.sha256 == first.proposal.sha256
    assert (second.proposal.base, second.approvers) == (4, ())


def test_nobody_approves_a_proposal_of_their_own(policies: Policies) -> None:
    """Not by proposing through somebody else's idempotent repeat either."""
    view = propose(policies, LOOSER)
    with pytest.raises(OwnProposalError):
        approve(policies, view, by=A)
    propose(policies, LOOSER, by=B)
    with pytest.raises(OwnProposalError):
        approve(policies, view, by=A)
    assert approve(policies, view, by=B).stage is Stage.APPROVED


@pytest.mark.parametrize("officer", [A.upper(), A.replace("a", "\u0430"), f"{A} ", f"{A}/", ""])
def test_a_look_alike_is_no_officer(policies: Policies, officer: str) -> None:
    """An officer is one whole name, byte for byte."""
    with pytest.raises(OfficerRequiredError):
        propose(policies, TIGHTER, by=officer)


def test_an_approval_is_of_what_was_read(policies: Policies) -> None:
    """With another proposal's hash, or none, it approves nothing."""
    shown = propose(policies, LOOSER)
    hidden = propose(policies, LOOSER.replace('"200"', '"999999"'))
    for digest in (shown.proposal.sha256, "", "0" * 64, hidden.proposal.sha256.upper()):
        with pytest.raises(ProposalMismatchError):
            policies.approve(hidden.proposal.number, digest, B)
    assert policies.get(hidden.proposal.number).approvers == ()


def test_officers_do_not_appoint_each_other(policies: Policies) -> None:
    """One officer's root document, with a friend or a lower quorum, waits for the others."""
    for document in (
        ROOT.replace(C, "spiffe://firm.example/mallory"),
        ROOT.replace("root_quorum = 2", 'root_quorum = 2\nwaiting_time = "1s"'),
        ROOT.replace(f', "{C}"', "").replace("root_quorum = 2", "root_quorum = 1"),
    ):
        view = propose(policies, document, kind=Kind.ROOT)
        assert (view.stage, view.needed) == (Stage.PENDING, 2)


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_proposals_that_race_one_is_in_force(policies: Policies, first: int) -> None:
    """Both have their quorum; the second to be activated replaces nothing any more."""
    views = [approve(policies, propose(policies, text)) for text in (LOOSER, LOOSER + "# two")]
    winner, loser = views[first], views[1 - first]
    policies.activate(winner.proposal.number, A)
    with pytest.raises(ProposalStaleError):
        policies.activate(loser.proposal.number, A)
    assert policies.version(Kind.POLICY, 2).sha256 == winner.proposal.sha256
    assert policies.get(loser.proposal.number).stage is Stage.STALE


def test_of_two_processes_that_activate_one_does(bench: Bench) -> None:
    """Whichever comes first; the other one is told that its base is gone."""
    policies = office(bench.open(clock=wall_clock))
    for text in (LOOSER, LOOSER + "# two"):
        approve(policies, propose(policies, text))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        ended = pool.starmap(activate, [(bench.path, 1, A), (bench.path, 2, B)])
    assert sorted(ended) == ["PROPOSAL_STALE", "activated"]
    assert policies.in_force(Kind.POLICY) == 2


def test_a_change_is_in_force_everywhere_at_once(bench: Bench) -> None:
    """In the log's order, every process decides by the policy that was activated last."""
    ledger = bench.open(clock=wall_clock)
    context = multiprocessing.get_context("spawn")
    start, stop = context.Barrier(3), context.Event()
    workers = [
        context.Process(target=pay_on, args=(bench.path, name, start, stop)) for name in "ab"
    ]
    for worker in workers:
        worker.start()
    start.wait()
    for text in (TIGHTER, POLICY, LOOSER, TIGHTER, POLICY):
        size = ledger.size()
        ledger.activate_policy(text, A)
        while ledger.size() < size + 20:
            ledger.wait(ledger.size(), 1)
    stop.set()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert decided_by(ledger) >= {2, 3, 4, 5, 6}


def decided_by(ledger: Ledger) -> set[int]:
    """Return which versions decided; each must be the one in force at its place in the log."""
    in_force, found = 0, set[int]()
    for _, body in ledger.leaves(0, ledger.size()):
        record = json.loads(body)
        if record["event"] == "policy.activated":
            in_force = record["policy"]["version"]
        elif record["event"] == "sign.decision":
            assert record["policy"]["version"] == in_force
            found.add(in_force)
    return found
