"""Requests above a grant's threshold: held, agreed to by others, signed once."""

import json
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from signer.errors import ApprovalClosedError, ApprovalNotFoundError, InvalidRequestError
from signer.ledger import Ledger
from signer.ledger.holding import MAX_OPEN, Held, State
from signer.model import Caller, Outcome, Refused, SignRequest
from tests.support.ledgers import (
    ALICE,
    HOUR,
    OFFICER,
    POLICY,
    ROOT,
    SECOND,
    Bench,
    code,
    freeze,
    granted,
    last,
    one,
    pay,
    signed,
    spent,
    thaw,
)

A, B, C = (
    Caller(f"spiffe://firm.example/officer/{name}", "cc" * 32, "192.0.2.9:1") for name in "abc"
)
BOB = Caller("spiffe://firm.example/bob", "dd" * 32, "192.0.2.3:1")
APPROVAL = (
    f'approval = {{ above = "50", quorum = 2, approvers = ["{A.san}", "{B.san}", "{ALICE.san}"] }}'
)
HELD = POLICY.replace('destinations = ["@friends"]', f'destinations = ["@friends"]\n{APPROVAL}')
LARGE = pay(5001, id="large")
HASH = LARGE.payload_sha256


@pytest.fixture
def ledger(bench: Bench) -> Ledger:
    """A ledger whose grant wants two approvals above 50 dollars."""
    return bench.open(HELD)


def held(ledger: Ledger, request: SignRequest = LARGE) -> int:
    """Ask for a signature that is held; the hold's number."""
    verdict = one(ledger, request)
    assert isinstance(verdict, Refused), verdict
    assert code(verdict) == "APPROVAL_REQUIRED"
    assert verdict.hold is not None, verdict
    return int(verdict.hold.removeprefix("approvals/"))


def approved(ledger: Ledger, number: int, *people: Caller, sha: bytes = HASH) -> Held:
    """Have people approve."""
    return [ledger.duty.approve(number, by, sha) for by in people or (A, B)][-1]


def leaves(ledger: Ledger) -> list[dict[str, Any]]:
    """Return every record."""
    return [json.loads(body) for _, body in ledger.leaves(0, 1000)]


def test_a_request_is_held_approved_and_signed_once(ledger: Ledger) -> None:
    """The same request id is signed once enough others agreed; every step is a leaf."""
    number = held(ledger)
    assert spent(ledger) == 0
    assert held(ledger) == number
    assert approved(ledger, number, A).state is State.PENDING
    assert held(ledger) == number
    assert approved(ledger, number, B).state is State.APPROVED
    verdict = granted(ledger, LARGE)
    record = last(ledger)
    assert (record["name"], record["approvals"]) == (f"approvals/{number}", [A.san, B.san])
    ledger.settle([signed(verdict)])
    assert ledger.duty.hold(number, A.san).state is State.USED
    with pytest.raises(ApprovalClosedError, match="is used"):
        ledger.duty.approve(number, A, HASH)
    steps = [
        (item["event"], item["outcome"]) for item in leaves(ledger) if item["event"] == "approval"
    ]
    assert steps == [("approval", "requested"), ("approval", "approved"), ("approval", "approved")]
    assert spent(ledger) == 5001


def test_approvers_read_what_the_payload_does(ledger: Ledger) -> None:
    """They see the caller, the words and the hash, and what it takes."""
    number = held(ledger)
    [item] = ledger.duty.holds(A.san)
    hold, tally = item.hold, item.tally
    assert (hold.number, hold.caller, hold.request_id) == (number, ALICE.san, "large")
    assert hold.words == "intent.transfer; pays 50.01 USD to bob"
    assert (hold.key, hold.version, hold.payload_sha256) == ("pay", 1, HASH)
    assert hold.expires_ms - hold.held_ms == HOUR
    assert tally is not None
    assert (tally.quorum, tally.given) == (2, frozenset())
    assert tally.approvers == {A.san, B.san}


@pytest.mark.parametrize("person", [ALICE, C], ids=["the caller", "somebody else"])
def test_only_approvers_see_a_hold(ledger: Ledger, person: Caller) -> None:
    """The caller, even if it is named, and everybody else get no hold and no hint of one."""
    number = held(ledger)
    assert ledger.duty.holds(person.san) == []
    with pytest.raises(ApprovalNotFoundError):
        ledger.duty.hold(number, person.san)
    with pytest.raises(ApprovalNotFoundError):
        ledger.duty.approve(number, person, HASH)
    with pytest.raises(ApprovalNotFoundError):
        ledger.duty.reject(number, person, "no")
    with pytest.raises(ApprovalNotFoundError):
        ledger.duty.hold(10_000, A.san)
    held(ledger)


def test_an_approval_is_of_one_payload(ledger: Ledger) -> None:
    """An approver who was shown another payload approves nothing; the attempt is recorded."""
    number = held(ledger)
    with pytest.raises(InvalidRequestError, match="payload_sha256"):
        ledger.duty.approve(number, A, sha256(b"another").digest())
    record = last(ledger)
    assert (record["event"], record["outcome"], record["by"]) == ("approval", "refused", A.san)
    approved(ledger, number, B)
    held(ledger)


def test_one_person_counts_once(ledger: Ledger) -> None:
    """A second approval by the same approver changes and records nothing."""
    number = held(ledger)
    approved(ledger, number, A)
    size = ledger.size()
    assert approved(ledger, number, A).hold.approvals == (A.san,)
    assert ledger.size() == size
    held(ledger)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (replace(LARGE, request_id="another"), "APPROVAL_REQUIRED"),
        (pay(5002, id="large"), "REQUEST_ID_REUSED"),
        (pay(5001, id="large", to="carol"), "REQUEST_ID_REUSED"),
        (pay(5001, id="large", format="other"), "REQUEST_ID_REUSED"),
        (pay(5001, id="large", key="other"), "REQUEST_ID_REUSED"),
    ],
)
def test_approvals_are_for_one_request(
    ledger: Ledger, request_: SignRequest, expected: str
) -> None:
    """Nothing but the request that was approved is signed: same id, key, format, payload."""
    approved(ledger, held(ledger))
    assert code(one(ledger, request_)) == expected
    granted(ledger, LARGE)


def test_another_caller_cannot_use_an_approval(bench: Bench) -> None:
    """The same id and payload of another granted caller is a request of its own."""
    both = f'callers = ["{ALICE.san}", "{BOB.san}"]'
    ledger = bench.open(HELD.replace(f'callers = ["{ALICE.san}"]', both))
    number = held(ledger)
    approved(ledger, number)
    assert held(ledger, replace(LARGE, caller=BOB)) != number


def test_a_rejection_is_final(ledger: Ledger) -> None:
    """One approver ends it, whatever the others said; a new request id may ask again."""
    number = held(ledger)
    approved(ledger, number)
    assert ledger.duty.reject(number, B, "not today").state is State.REJECTED
    assert last(ledger)["detail"] == "not today"
    assert code(one(ledger, LARGE)) == "APPROVAL_REJECTED"
    with pytest.raises(ApprovalClosedError, match="is rejected"):
        ledger.duty.approve(number, A, HASH)
    held(ledger, replace(LARGE, request_id="anew"))


@pytest.mark.parametrize(("root", "life_ms"), [(None, HOUR), ('hold_life = "2m"', 120 * SECOND)])
def test_a_hold_expires(bench: Bench, ledger: Ledger, root: str | None, life_ms: int) -> None:
    """Its approvals count up to its last moment; then the request is held anew, with none."""
    if root:
        ledger.bootstrap_root(ROOT + root, "test")
    number = held(ledger)
    approved(ledger, number)
    second = held(ledger, replace(LARGE, request_id="second"))
    approved(ledger, second)
    bench.clock.now += life_ms - 1
    granted(ledger, LARGE)
    bench.clock.now += 1
    assert ledger.duty.holds(A.san) == []
    assert ledger.duty.hold(second, A.san).state is State.EXPIRED
    with pytest.raises(ApprovalClosedError, match="is expired"):
        ledger.duty.approve(second, A, HASH)
    assert held(ledger, replace(LARGE, request_id="second")) > second


def test_a_hold_is_made_only_if_nothing_else_is_missing(ledger: Ledger) -> None:
    """Nobody is asked about what could not be signed anyway."""
    for name, request in (
        ("to", pay(5001, id="to", to="eve")),
        ("limit", pay(10_001, id="limit")),
    ):
        verdict = one(ledger, request)
        assert isinstance(verdict, Refused)
        assert verdict.hold is None, name
    freeze(ledger, "all", "")
    frozen = one(ledger, LARGE)
    assert isinstance(frozen, Refused)
    assert (code(frozen), frozen.hold) == ("FROZEN", None)
    for number in range(20):
        one(ledger, pay(5000, id=f"fill-{number}"))
    assert ledger.duty.holds(A.san) == []


def test_everything_is_checked_again(bench: Bench, ledger: Ledger) -> None:
    """An approval opens no limit and no freeze: they hold when the request is repeated."""
    number = held(ledger)
    approved(ledger, number)
    freeze(ledger, "destination", "bob")
    assert code(one(ledger, LARGE)) == "FROZEN"
    thaw(ledger, "destination", "bob")
    for part in range(20):
        granted(ledger, pay(5000, id=f"fill-{part}"))
    assert code(one(ledger, LARGE)) == "LIMIT_WINDOW_TOTAL"
    assert ledger.duty.hold(number, A.san).state is State.APPROVED
    bench.clock.now += HOUR - 1
    assert code(one(ledger, LARGE)) == "LIMIT_WINDOW_TOTAL"


MORE = f'quorum = 3, approvers = ["{C.san}", "{A.san}"'
BIGGER = HELD.replace('above = "50"', 'above = "500"').replace(
    'per_request = "100"', 'per_request = "1000"'
)


@pytest.mark.parametrize(
    "policy",
    [
        HELD.replace(f'"{B.san}"', f'"{C.san}"'),
        HELD.replace(f'quorum = 2, approvers = ["{A.san}"', MORE),
        BIGGER.replace("decimals = 2", "decimals = 1"),
        HELD.replace('["intent"]', '["intent"]\nversion = 2'),
    ],
    ids=["approver", "quorum", "words", "version"],
)
def test_the_policy_in_force_counts(ledger: Ledger, policy: str) -> None:
    """Approvals by who is no approver now, or of what means something else now, are void."""
    approved(ledger, held(ledger))
    ledger.activate_policy(policy, OFFICER)
    assert code(one(ledger, LARGE)) == "APPROVAL_REQUIRED"


def test_a_hold_moves_to_other_grants(ledger: Ledger) -> None:
    """Where a policy change moves a pending request to another grant, its approvers see it."""
    number = held(ledger)
    ledger.activate_policy(HELD.replace('id = "friends"', 'id = "mates"'), OFFICER)
    assert ledger.duty.holds(A.san) == []
    assert held(ledger) == number
    assert [item.hold.number for item in ledger.duty.holds(A.san)] == [number]


def test_a_refusal_by_the_token_gives_the_approval_back(ledger: Ledger) -> None:
    """No signature was made for certain, so the same request may be tried once more."""
    number = held(ledger)
    approved(ledger, number)
    first = granted(ledger, LARGE)
    ledger.settle([Outcome(first.approval, None, refused=True)])
    second = granted(ledger, LARGE)
    ledger.settle([signed(second)])
    assert ledger.duty.hold(number, A.san).state is State.USED


def test_an_unknown_outcome_is_resumed_with_its_approvals(bench: Bench, ledger: Ledger) -> None:
    """A retry after the lease goes on with the approvals it used, though the hold is over."""
    approved(ledger, held(ledger))
    granted(ledger, LARGE)
    bench.clock.now += 2 * HOUR
    granted(ledger, LARGE)
    assert last(ledger)["resumed"] is True


def test_a_resumption_needs_its_approvers(bench: Bench, ledger: Ledger) -> None:
    """Where they no longer are approvers the resumption is refused, and nobody is asked."""
    approved(ledger, held(ledger))
    granted(ledger, LARGE)
    ledger.activate_policy(HELD.replace(f'"{B.san}"', f'"{C.san}"'), OFFICER)
    bench.clock.now += 10 * SECOND
    verdict = one(ledger, LARGE)
    assert isinstance(verdict, Refused)
    assert (code(verdict), verdict.hold) == ("APPROVAL_REQUIRED", None)


def test_a_caller_cannot_bury_the_others(ledger: Ledger) -> None:
    """So many requests of one caller wait; the next is refused with a reason of its own."""
    ledger.decide([replace(LARGE, request_id=f"r-{number}") for number in range(MAX_OPEN)])
    assert code(one(ledger, replace(LARGE, request_id="more"))) == "APPROVAL_BACKLOG"
    assert len(ledger.duty.holds(A.san)) == MAX_OPEN
    number = held(ledger, replace(LARGE, request_id="r-0"))
    ledger.duty.reject(number, A, "one less")
    held(ledger, replace(LARGE, request_id="more"))


def test_validation_holds_nothing(ledger: Ledger) -> None:
    """Asking what would happen asks nobody."""
    one(ledger, replace(LARGE, validate_only=True))
    assert last(ledger)["reasons"][0]["code"] == "APPROVAL_REQUIRED"
    assert ledger.duty.holds(A.san) == []


def test_several_processes_agree(bench: Bench, ledger: Ledger) -> None:
    """Held by one, approved over two others, signed by the last, once."""
    others = [bench.open() for _ in range(3)]
    number = held(ledger)
    assert held(others[0]) == number
    approved(others[0], number, A)
    approved(others[1], number, B)
    granted(others[2], LARGE)
    assert code(one(ledger, LARGE)) == "REQUEST_IN_PROGRESS"
    assert ledger.duty.hold(number, A.san).state is State.USED


def test_old_holds_are_forgotten(bench: Bench, ledger: Ledger) -> None:
    """A month after it expired a hold is gone, and one that is younger is kept."""
    old = held(ledger)
    bench.clock.now += 30 * 24 * HOUR
    young = held(ledger, replace(LARGE, request_id="young"))
    assert ledger.duty.hold(old, A.san).state is State.EXPIRED
    bench.clock.now += HOUR + 1
    held(ledger, replace(LARGE, request_id="younger"))
    with pytest.raises(ApprovalNotFoundError):
        ledger.duty.hold(old, A.san)
    assert ledger.duty.hold(young, A.san).state is State.EXPIRED
