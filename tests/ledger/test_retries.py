"""Request ids: what happens when the same request, or another, comes again."""

import sqlite3
from contextlib import closing

import pytest

from signer.ledger import Ledger
from signer.model import Conflict, Granted, Outcome, Signed, SignRequest
from tests.support.ledgers import (
    HOUR,
    MALLORY,
    OFFICER,
    POLICY,
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

LEASE = 10 * SECOND
RETENTION = 7 * 24 * HOUR


def test_a_replay_returns_the_first_signature(bench: Bench, ledger: Ledger) -> None:
    """The same request again gives the same signature, charges nothing, approves nothing."""
    first = granted(ledger, pay(100))
    ledger.settle([signed(first, b"first" * 12)])
    again = one(ledger, pay(100, version=1))
    assert again == Signed("keys/pay/versions/1", b"first" * 12, first.leaf_index, 1, replayed=True)
    assert (last(ledger)["outcome"], last(ledger)["decision"]) == ("replayed", first.leaf_index)
    assert spent(ledger) == 100
    assert bench.mint._outstanding == {first.approval}


@pytest.mark.parametrize(
    "other", [pay(101), pay(100, to="carol"), pay(100, format="other"), pay(100, key="other")]
)
@pytest.mark.parametrize("end", ["none", "signed", "refused"])
def test_an_id_is_bound_to_its_payload(ledger: Ledger, other: SignRequest, end: str) -> None:
    """Another payload, key or format under the same id is refused, whatever became of it."""
    first = one(ledger, pay(100, to="bob" if end != "refused" else "eve"))
    if isinstance(first, Granted) and end == "signed":
        ledger.settle([signed(first)])
    verdict = one(ledger, other)
    assert isinstance(verdict, Conflict)
    assert code(verdict) == "REQUEST_ID_REUSED"
    assert last(ledger)["index"] == verdict.leaf_index
    assert last(ledger)["outcome"] == "request_id_reused"


def test_ids_belong_to_their_callers(ledger: Ledger) -> None:
    """Another caller's request of the same id is another request."""
    granted(ledger, pay())
    assert code(one(ledger, pay(caller=MALLORY))) == "KEY_DENIED"


def test_an_attempt_keeps_its_id_for_the_lease(bench: Bench, ledger: Ledger) -> None:
    """While the first attempt may still end, a retry is told to wait."""
    granted(ledger, pay())
    bench.clock.now += LEASE - 1
    assert code(one(ledger, pay())) == "REQUEST_IN_PROGRESS"
    assert code(one(ledger, pay(version=2))) == "REQUEST_ID_REUSED"


def test_two_of_one_id_in_a_batch_are_one_after_the_other(ledger: Ledger) -> None:
    """Within a batch, too, an id is granted once."""
    first, second, third = ledger.decide([pay(5), pay(5), pay(6)])
    assert isinstance(first, Granted)
    assert (code(second), code(third)) == ("REQUEST_IN_PROGRESS", "REQUEST_ID_REUSED")
    assert spent(ledger) == 5


@pytest.mark.parametrize("unknown", [False, True])
def test_after_the_lease_it_is_resumed(bench: Bench, ledger: Ledger, *, unknown: bool) -> None:
    """A retry after a crash, or an unknown end, signs again without a second charge."""
    first = granted(ledger, pay(100))
    if unknown:
        ledger.settle([Outcome(first.approval, None, detail="timed out")])
    bench.clock.now += LEASE
    second = granted(ledger, pay(100))
    record = last(ledger)
    assert (record["outcome"], record["resumed"]) == ("granted", True)
    assert second.approval is not first.approval
    assert second.approval.decision == second.leaf_index
    assert code(one(ledger, pay(100))) == "REQUEST_IN_PROGRESS"
    ledger.settle([signed(second, b"second" * 10)])
    replay = one(ledger, pay(100))
    assert isinstance(replay, Signed)
    assert (replay.signature, replay.leaf_index) == (b"second" * 10, second.leaf_index)
    assert spent(ledger) == 100


def test_a_full_window_does_not_stop_a_resumption(bench: Bench, ledger: Ledger) -> None:
    """What is reserved already needs no room."""
    for number in range(10):
        granted(ledger, pay(10_000, id=f"r-{number}"))
    bench.clock.now += LEASE
    granted(ledger, pay(10_000, id="r-0"))


def test_a_resumption_still_obeys_the_policy(bench: Bench, ledger: Ledger) -> None:
    """Static rules and freezes hold at the time of the resumption; the reservation stays."""
    granted(ledger, pay(100))
    bench.clock.now += LEASE
    freeze(ledger, "destination", "bob", OFFICER)
    assert code(one(ledger, pay(100))) == "FROZEN"
    assert last(ledger)["resumed"] is True
    thaw(ledger, "destination", "bob")
    granted(ledger, pay(100))
    assert spent(ledger) == 100


def test_a_refused_request_is_decided_again(ledger: Ledger) -> None:
    """A refusal is not remembered: the same request may be allowed later."""
    freeze(ledger, "all", "", OFFICER)
    assert code(one(ledger, pay())) == "FROZEN"
    thaw(ledger, "all", "")
    granted(ledger, pay())


def test_a_definite_refusal_gives_the_charge_back(ledger: Ledger) -> None:
    """When the HSM refused for certain nothing is spent, and a retry reserves anew."""
    first = granted(ledger, pay(100))
    ledger.settle([Outcome(first.approval, None, refused=True, detail="HsmRefusedError: no")])
    assert spent(ledger) == 0
    [(_, body)] = ledger.leaves(first.leaf_index + 1, 1)
    assert b'"event":"sign.outcome","outcome":"refused"' in body
    assert b'"decision":%d,"detail":"HsmRefusedError: no"' % first.leaf_index in body
    granted(ledger, pay(100))
    assert spent(ledger) == 100


def test_nothing_is_given_back_twice(ledger: Ledger) -> None:
    """A refusal that is reported again does not free the retry's reservation."""
    refused = Outcome(granted(ledger, pay(100)).approval, None, refused=True)
    ledger.settle([refused, refused])
    granted(ledger, pay(100))
    ledger.settle([refused])
    assert spent(ledger) == 100


@pytest.mark.parametrize("together", [True, False])
def test_what_was_signed_is_not_given_back(ledger: Ledger, *, together: bool) -> None:
    """A signature and a refusal of one attempt contradict each other: it is spent."""
    approval = granted(ledger, pay(100)).approval
    refused, released = Outcome(approval, None, refused=True), Outcome(approval, b"s" * 64)
    if together:
        ledger.settle([refused, released])
    else:
        ledger.settle([released])
        ledger.flush()
        ledger.settle([refused])
    assert isinstance(one(ledger, pay(100)), Signed)
    assert spent(ledger) == 100


def test_what_was_given_back_is_not_signed(ledger: Ledger) -> None:
    """A signature that is reported after a certain refusal does not come back uncharged."""
    approval = granted(ledger, pay(100)).approval
    ledger.settle([Outcome(approval, None, refused=True)])
    ledger.flush()
    ledger.settle([Outcome(approval, b"s" * 64)])
    ledger.flush()
    again = granted(ledger, pay(100))
    ledger.settle([signed(again, b"again" * 12)])
    replay = one(ledger, pay(100))
    assert isinstance(replay, Signed)
    assert replay.signature == b"again" * 12
    assert spent(ledger) == 100


def test_an_unknown_end_is_spent(ledger: Ledger) -> None:
    """After a time-out the charge stays: the token may have signed."""
    ledger.settle([Outcome(granted(ledger, pay(100)).approval, None, detail="timed out")])
    assert spent(ledger) == 100


@pytest.mark.parametrize("which", [0, 1])
def test_a_resumed_reservation_is_never_given_back(
    bench: Bench, ledger: Ledger, which: int
) -> None:
    """With two attempts on one reservation, one may have signed though the other was refused."""
    attempts = [granted(ledger, pay(100))]
    bench.clock.now += LEASE
    attempts.append(granted(ledger, pay(100)))
    ledger.settle([Outcome(attempts[which].approval, None, refused=True)])
    assert spent(ledger) == 100
    ledger.settle([signed(attempts[1 - which])])
    assert isinstance(one(ledger, pay(100)), Signed)


def test_the_first_signature_stays(bench: Bench, ledger: Ledger) -> None:
    """When two attempts both sign, retries get one signature, always the same."""
    first = granted(ledger, pay())
    bench.clock.now += LEASE
    second = granted(ledger, pay())
    ledger.settle([signed(first, b"a" * 64), signed(second, b"b" * 64)])
    ledger.settle([signed(second, b"b" * 64)])
    replay = one(ledger, pay())
    assert isinstance(replay, Signed)
    assert replay.signature == b"a" * 64


def test_a_resumption_signs_with_the_key_version_of_then(bench: Bench, ledger: Ledger) -> None:
    """After a rotation the new version signs, and a replay names the one that did."""
    granted(ledger, pay())
    ledger.activate_policy(POLICY.replace("[keys.pay]", "[keys.pay]\nversion = 2"), OFFICER)
    bench.clock.now += LEASE
    second = granted(ledger, pay())
    assert second.approval.version == 2
    ledger.settle([signed(second)])
    replay = one(ledger, pay())
    assert isinstance(replay, Signed)
    assert (replay.key_version, replay.policy_version) == ("keys/pay/versions/2", 2)


def test_outcomes_need_no_further_request(ledger: Ledger) -> None:
    """A queued outcome is durable within moments by itself."""
    verdict = granted(ledger, pay())
    ledger.settle([signed(verdict)])
    assert ledger.wait(verdict.leaf_index + 1, 5.0) == verdict.leaf_index + 2
    record = last(ledger)
    assert (record["event"], record["outcome"]) == ("sign.outcome", "signed")
    assert len(record["signature_sha256"]) == 64


def test_closing_keeps_queued_outcomes(bench: Bench, ledger: Ledger) -> None:
    """What was queued when the ledger was closed is there when it is opened again."""
    ledger.settle([signed(granted(ledger, pay()))])
    bench.close()
    assert isinstance(one(bench.open(), pay()), Signed)


def test_signatures_are_forgotten_with_their_ids(bench: Bench, ledger: Ledger) -> None:
    """What no request id leads to is not kept."""
    for number in range(3):
        ledger.settle([signed(granted(ledger, pay(1, id=f"old-{number}")))])
    bench.clock.now += RETENTION + 1
    for number in range(3):
        ledger.settle([signed(granted(ledger, pay(1, id=f"new-{number}")))])
    ledger.flush()
    with closing(sqlite3.connect(bench.path)) as connection:
        ids = connection.execute(
            "SELECT request_id FROM signatures LEFT JOIN requests USING (reservation)"
        ).fetchall()
    assert ids == [("new-0",), ("new-1",), ("new-2",)]


def test_ids_are_forgotten_after_their_time(bench: Bench, ledger: Ledger) -> None:
    """Old request ids are dropped a few at a time, young ones never."""
    for number in range(4):
        granted(ledger, pay(1, id=f"old-{number}"))
    bench.clock.now += RETENTION
    granted(ledger, pay(1, id="on-time"))
    assert code(one(ledger, pay(2, id="old-0"))) == "REQUEST_ID_REUSED"
    bench.clock.now += 1
    granted(ledger, pay(1, id="late"))  # forgets two
    late = Outcome(granted(ledger, pay(1, id="later")).approval, None, refused=True)
    for number in range(4):
        granted(ledger, pay(2, id=f"old-{number}"))
    assert code(one(ledger, pay(2, id="on-time"))) == "REQUEST_ID_REUSED"
    bench.clock.now += RETENTION + 1
    granted(ledger, pay(1, id="much-later"))
    for number in range(3):
        granted(ledger, pay(1, id=f"very-late-{number}"))
    ledger.settle([late])
    ledger.flush()
    assert (last(ledger)["event"], last(ledger)["outcome"]) == ("sign.outcome", "refused")
