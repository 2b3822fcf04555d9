"""Recorded history decided again: what would change, and what the windows then hold."""

import re

import pytest

from policy.freezes import Freeze
from policy.model import Ask, Facts, Transfer
from policy.reasons import Code, Reason
from policy.replay import Asked, Change, Frozen, Kind, Replay
from signer.audit.history import event
from signer.ledger import Ledger
from signer.model import Outcome
from tests.support.ledgers import (
    ALICE,
    HOUR,
    MALLORY,
    OFFICER,
    POLICY,
    START_MS,
    Bench,
    code,
    freeze,
    granted,
    load_policy,
    one,
    pay,
    thaw,
)

SMALL = POLICY.replace('per_request = "100"', 'per_request = "50"')
NARROW = POLICY.replace('total = "1000"', 'total = "100"')
WIDE = POLICY.replace('per_request = "100"', 'per_request = "200"')


def again(ledger: Ledger, policy: str = POLICY, since_ms: int = 0) -> list[Change]:
    """Decide everything in a ledger again."""
    replay = Replay(load_policy(policy), since_ms)
    events = (event(body) for _, body in ledger.leaves(0, ledger.size()))
    changes = [replay.step(found) for found in events if found is not None]
    return [change for change in changes if change is not None]


def told(changes: list[Change]) -> list[tuple[int, str]]:
    """Return the amounts, and what the caller would have been told."""
    return [
        (
            change.asked.ask.facts.transfers[0].amount,
            "allowed" if change.decision.allowed else change.decision.reasons[0].code.value,
        )
        for change in changes
    ]


def test_the_same_policy_changes_nothing(bench: Bench, ledger: Ledger) -> None:
    """Grants, refusals, returns, freezes, attempts that go on, clock jumps: all come out alike."""
    granted(ledger, pay(10_000, id="a"))
    one(ledger, pay(10_001, id="b"))
    one(ledger, pay(1, id="c", to="dave"))
    one(ledger, pay(1, id="d", caller=MALLORY))
    back = granted(ledger, pay(9000, id="e"))
    ledger.settle([Outcome(back.approval, None, refused=True)])
    for number in range(9):
        granted(ledger, pay(10_000, id=f"fill-{number}"))
    assert code(one(ledger, pay(1, id="over"))) == "LIMIT_WINDOW_TOTAL"
    bench.clock.now += bench.settings.lease_ms
    granted(ledger, pay(10_000, id="fill-0"))
    freeze(ledger, "destination", "bob", OFFICER, "drill")
    assert code(one(ledger, pay(1, id="frozen"))) == "FROZEN"
    assert code(one(ledger, pay(1, id="denied", caller=MALLORY))) == "KEY_DENIED"
    thaw(ledger, "destination", "bob")
    bench.clock.now -= 2 * HOUR
    one(ledger, pay(1, id="back", validate_only=True))
    bench.clock.now += 4 * HOUR
    granted(ledger, pay(1, id="f"))
    one(ledger, pay(1, id="g", version=3))
    assert again(ledger) == []


def test_a_smaller_limit_refuses_what_was_allowed(ledger: Ledger) -> None:
    """The change has the record's place and the rule that fails now."""
    granted(ledger, pay(5000, id="a"))
    verdict = granted(ledger, pay(5001, id="b"))
    [change] = again(ledger, SMALL)
    assert change.asked.index == verdict.leaf_index
    assert change.asked.reasons == ()
    assert [reason.rule for reason in change.decision.reasons] == [
        "keys.pay.limits.USD.per_request"
    ]


def test_windows_hold_what_the_candidate_would_have_allowed(bench: Bench, ledger: Ledger) -> None:
    """What it refuses leaves room for what comes later, and the window rolls on."""
    for number, amount in enumerate((6000, 6000, 4000, 1)):
        granted(ledger, pay(amount, id=f"a-{number}"))
    bench.clock.now += HOUR
    granted(ledger, pay(6000, id="b"))
    assert told(again(ledger, NARROW)) == [(6000, "LIMIT_WINDOW_TOTAL"), (1, "LIMIT_WINDOW_TOTAL")]


def test_what_a_larger_limit_allows_is_charged(ledger: Ledger) -> None:
    """A request that is allowed now fills the windows, once, however often it was tried."""
    for _ in range(3):
        assert code(one(ledger, pay(15_000, id="big"))) == "LIMIT_PER_REQUEST"
    for number in range(9):
        granted(ledger, pay(10_000, id=f"a-{number}"))
    assert told(again(ledger, WIDE)) == [(15_000, "allowed"), (10_000, "LIMIT_WINDOW_TOTAL")]


def test_what_came_before_is_taken_as_it_was(bench: Bench, ledger: Ledger) -> None:
    """It fills the windows though the candidate would have refused it, and is not listed."""
    granted(ledger, pay(8000, id="a"))
    one(ledger, pay(20_000, id="refused"))
    bench.clock.now += 1
    granted(ledger, pay(3000, id="b"))
    candidate = NARROW.replace('per_request = "100"', 'per_request = "50"')
    assert told(again(ledger, candidate, START_MS + 1)) == [(3000, "LIMIT_WINDOW_TOTAL")]


def test_a_returned_charge_is_returned(ledger: Ledger) -> None:
    """A definite refusal of the HSM frees the candidate's window too; an unknown end does not."""
    back = granted(ledger, pay(8000, id="a"))
    ledger.settle([Outcome(back.approval, None, refused=True)])
    unknown = granted(ledger, pay(8000, id="b"))
    ledger.settle([Outcome(unknown.approval, None)])
    done = granted(ledger, pay(2000, id="c"))
    ledger.settle([Outcome(done.approval, b"s" * 64)])
    granted(ledger, pay(1, id="d"))
    assert told(again(ledger, NARROW)) == [(1, "LIMIT_WINDOW_TOTAL")]


def test_an_attempt_that_goes_on_is_charged_once(bench: Bench, ledger: Ledger) -> None:
    """It needs no room of its own, and its refusal no longer gives anything back."""
    granted(ledger, pay(8000, id="a"))
    bench.clock.now += bench.settings.lease_ms
    resumed = granted(ledger, pay(8000, id="a"))
    ledger.settle([Outcome(resumed.approval, None, refused=True)])
    granted(ledger, pay(3000, id="b"))
    assert told(again(ledger, NARROW)) == [(3000, "LIMIT_WINDOW_TOTAL")]


def test_an_attempt_under_way_is_charged_once(bench: Bench, ledger: Ledger) -> None:
    """What goes on needs no more room than it has."""
    granted(ledger, pay(4000, id="a"))
    bench.clock.now += bench.settings.lease_ms
    granted(ledger, pay(4000, id="a"))
    granted(ledger, pay(6000, id="b"))
    granted(ledger, pay(1, id="c"))
    assert told(again(ledger, NARROW)) == [(1, "LIMIT_WINDOW_TOTAL")]


def test_an_attempt_that_goes_on_may_be_the_first_that_is_allowed(
    bench: Bench, ledger: Ledger
) -> None:
    """What the candidate refused at first is charged where it allows it later."""
    granted(ledger, pay(6000, id="a"))
    granted(ledger, pay(5000, id="b"))
    bench.clock.now += HOUR
    granted(ledger, pay(5000, id="b"))
    granted(ledger, pay(5001, id="c"))
    refused = [(5000, "LIMIT_WINDOW_TOTAL"), (5001, "LIMIT_WINDOW_TOTAL")]
    assert told(again(ledger, NARROW)) == refused


def test_a_question_charges_nothing(ledger: Ledger) -> None:
    """It is decided again, and listed, and leaves the windows as they are."""
    one(ledger, pay(15_000, id="q", validate_only=True))
    one(ledger, pay(15_000, id="q", validate_only=True))
    granted(ledger, pay(10_000, id="a"))
    assert told(again(ledger, WIDE)) == [(15_000, "allowed")] * 2


def test_a_freeze_outranks_the_candidate(ledger: Ledger) -> None:
    """What was frozen then stays refused, though the candidate would grant it."""
    freeze(ledger, "caller", MALLORY.san, OFFICER, "drill")
    one(ledger, pay(1, id="a", caller=MALLORY))
    thaw(ledger, "caller", MALLORY.san)
    one(ledger, pay(2, id="b", caller=MALLORY))
    candidate = POLICY.replace(f'"{ALICE.san}"', f'"{ALICE.san}", "{MALLORY.san}"')
    assert told(again(ledger, candidate)) == [(1, "FROZEN"), (2, "allowed")]


def test_each_freeze_holds_until_its_own_end(ledger: Ledger) -> None:
    """A later freeze does not end an earlier one."""
    freeze(ledger, "caller", MALLORY.san, OFFICER, "drill")
    freeze(ledger, "destination", "carol", OFFICER, "drill")
    one(ledger, pay(1, id="a", caller=MALLORY))
    thaw(ledger, "destination", "carol")
    one(ledger, pay(2, id="b", caller=MALLORY))
    candidate = POLICY.replace(f'"{ALICE.san}"', f'"{ALICE.san}", "{MALLORY.san}"')
    assert told(again(ledger, candidate)) == [(1, "FROZEN"), (2, "FROZEN")]


def test_another_version_is_still_refused(ledger: Ledger) -> None:
    """A version that does not sign is refused; the candidate's is not."""
    one(ledger, pay(1, version=2))
    assert again(ledger) == []
    candidate = POLICY.replace('payloads = ["intent"]', 'payloads = ["intent"]\nversion = 2')
    assert told(again(ledger, candidate)) == [(1, "allowed")]


def test_a_key_that_is_gone_is_refused(bench: Bench, ledger: Ledger) -> None:
    """Its history before the candidate fills no window."""
    granted(ledger, pay(1, id="a"))
    bench.clock.now += 1
    granted(ledger, pay(2, id="b"))
    candidate = POLICY.replace("keys.pay", "keys.other")
    assert told(again(ledger, candidate, START_MS + 1)) == [(2, "KEY_DENIED")]


@pytest.mark.parametrize("to", ["dave", "erin"])
def test_another_reason_is_a_change(ledger: Ledger, to: str) -> None:
    """Callers see the first reason's code, so that another one is another answer."""
    one(ledger, pay(1, to=to))
    candidate = POLICY.replace(
        'action = "intent.transfer"', 'action = "intent.transfer"\nexpires = "2026-01-01T00:00:00Z"'
    ).replace('"bob"', f'"{to}"')
    assert told(again(ledger, candidate)) == [(1, "GRANT_NOT_IN_FORCE")]


def test_events_without_a_decision_change_nothing(ledger: Ledger) -> None:
    """An outcome of a request that the candidate refused has nothing to give back."""
    back = granted(ledger, pay(9000, id="a"))
    ledger.settle([Outcome(back.approval, None, refused=True)])
    assert told(again(ledger, SMALL)) == [(9000, "LIMIT_PER_REQUEST")]


def test_what_people_said_then_they_say_again(ledger: Ledger) -> None:
    """A rate of an emergency, or a rejection, is no part of the policy, and outlasts it."""
    slow = Freeze("key", "pay")
    ask = Ask("pay", "intent", ALICE.san, Facts("intent.transfer", (Transfer("USD", 1, "bob"),)))
    people = Reason(Code.EMERGENCY_RATE, "rates.key", "slowed")
    rejected = Reason(Code.APPROVAL_REJECTED, "x", "rejected")
    limit = Reason(Code.LIMIT_PER_REQUEST, "y", "too much")
    for reasons, code_told in (
        ((people,), "EMERGENCY_RATE"),
        ((rejected, limit), "APPROVAL_REJECTED"),
        ((limit, people), "EMERGENCY_RATE"),
    ):
        replay = Replay(load_policy(POLICY))
        replay.step(Frozen(slow, begins=False))
        change = replay.step(Asked(0, START_MS, ask, "r", Kind.NEW, reasons))
        told_now = change.decision.reasons[0].code if change else reasons[0].code
        assert told_now == code_told


def test_who_may_ask_is_decided_again(ledger: Ledger) -> None:
    """A question is answered to the candidate's validators only."""
    one(ledger, pay(1, id="q", validate_only=True))
    assert again(ledger) == []
    nobody = re.sub("validators = .*\n", "", POLICY)
    assert told(again(ledger, nobody)) == [(1, "VALIDATION_NOT_ALLOWED")]
