"""Freezes and emergency rates: one puts them in force, a quorum of officers ends them."""

from typing import Any

import pytest

from policy.freezes import Freeze
from signer.errors import OfficerRequiredError, RateNotLowerError
from signer.ledger import Ledger
from signer.ledger.stops import How, freezing, slowing
from signer.model import Outcome
from tests.support.ledgers import (
    ALICE,
    HOUR,
    OFFICER,
    POLICY,
    SECOND,
    START_MS,
    Bench,
    code,
    freeze,
    granted,
    last,
    one,
    pay,
    thaw,
)

A, B, C, GONE = (f"spiffe://firm.example/officer/{name}" for name in ("a", "b", "c", "gone"))
SIEM = "siem.firm.example"
GROUP = """
[groups.desk]
keys = ["pay"]
[[groups.desk.limits]]
asset = "USD"
windows = [{ span = "1d", total = "5000" }]
"""
ROOT = f"""
schema = 1
officers = ["{A}", "{B}", "{C}"]
quorum = 2
root_quorum = 2
waiting_time = "2h"
"""
USD = Freeze("asset", "USD")
DAY = 24 * HOUR


@pytest.fixture
def ruled(ledger: Ledger) -> Ledger:
    """A ledger with three officers, two of whom agree with the one who asks."""
    ledger.bootstrap_root(ROOT, "test")
    return ledger


def asks(ledger: Ledger, *officers: str, what: Freeze = USD) -> list[bool]:
    """Have officers ask for the end of a freeze; whether it is in force after each."""
    return [ledger.duty.end_stop(freezing(what, one)).in_force is not None for one in officers]


def told(ledger: Ledger) -> tuple[str, str, str]:
    """Return event, outcome and person of the newest record."""
    record = last(ledger)
    return record["event"], record["outcome"], record["by"]


def test_a_freeze_is_recorded_once(ledger: Ledger) -> None:
    """Freezing leaves a leaf that says who and why; repeating it leaves none."""
    freeze(ledger, "asset", "USD", SIEM, "odd traffic")
    record = last(ledger)
    assert (record["event"], record["scope"], record["name"]) == ("freeze", "asset", "USD")
    assert (record["by"], record["detail"]) == (SIEM, "odd traffic")
    [state] = ledger.duty.stops()
    expected = (How.FREEZE, "asset", "USD", None, START_MS, SIEM, "odd traffic")
    assert state.in_force == expected
    size = ledger.size()
    assert freeze(ledger, "asset", "USD", "somebody.else").in_force == expected
    assert ledger.size() == size


def test_a_freeze_ends_with_the_quorum(ruled: Ledger) -> None:
    """The officer who asks and two others end it at once; each asking is a leaf."""
    freeze(ruled, "asset", "USD", SIEM)
    assert asks(ruled, A, A, B) == [True, True, True]
    [state] = ruled.duty.stops()
    assert (state.askers, state.required) == ((A, B), 3)
    assert code(one(ruled, pay())) == "FROZEN"
    assert asks(ruled, C) == [False]
    assert told(ruled) == ("unfreeze", "ok", C)
    assert ruled.duty.stops() == []
    granted(ruled, pay())
    assert asks(ruled, A) == [False]


@pytest.mark.parametrize("who", [SIEM, GONE])
def test_only_officers_ask_for_an_end(ruled: Ledger, who: str) -> None:
    """Whoever may freeze may not unfreeze; the attempt is on the record."""
    freeze(ruled, "asset", "USD", who)
    with pytest.raises(OfficerRequiredError):
        asks(ruled, who)
    assert told(ruled) == ("unfreeze.asked", "refused", who)


def test_without_a_root_document_nothing_ends(ledger: Ledger) -> None:
    """Freezing works before there are officers, unfreezing does not."""
    freeze(ledger, "asset", "USD")
    with pytest.raises(OfficerRequiredError):
        asks(ledger, OFFICER)
    [state] = ledger.duty.stops()
    assert (state.askers, state.required) == ((), 0)
    assert code(one(ledger, pay())) == "FROZEN"


def test_freezing_again_objects_to_the_end(ruled: Ledger) -> None:
    """What two officers asked for counts no more once somebody insists on the freeze."""
    freeze(ruled, "asset", "USD")
    asks(ruled, A, B)
    assert freeze(ruled, "asset", "USD", SIEM).askers == ()
    assert last(ruled)["outcome"] == "confirmed"
    assert asks(ruled, C, B) == [True, True]
    assert asks(ruled, A) == [False]


def test_an_asking_is_about_one_freeze(ruled: Ledger, bench: Bench) -> None:
    """What was asked for an earlier freeze of the same thing ends no later one."""
    freeze(ruled, "asset", "USD")
    asks(ruled, A, B, C)
    bench.clock.now += SECOND
    freeze(ruled, "asset", "USD")
    assert asks(ruled, B, C) == [True, True]


def test_an_asking_grows_old(ruled: Ledger, bench: Bench) -> None:
    """Askings count for a proposal's life, and only while those who asked are officers."""
    freeze(ruled, "asset", "USD")
    asks(ruled, A, B)
    bench.clock.now += 7 * DAY
    assert ruled.duty.stops()[0].askers == ()
    assert asks(ruled, C, B) == [True, True]


def test_ends_do_not_mix(ruled: Ledger) -> None:
    """Askings for the end of one freeze are not for another's, nor for a rate's."""
    freeze(ruled, "asset", "USD")
    freeze(ruled, "key", "pay")
    ruled.duty.stop(slowing(USD, 5, A))
    asks(ruled, A)
    asks(ruled, B, what=Freeze("key", "pay"))
    ruled.duty.end_stop(slowing(USD, 0, C))
    assert [state.askers for state in sorted(ruled.duty.stops(), key=str)] == [(A,), (B,), (C,)]


def test_a_freeze_of_a_group_stops_its_keys(bench: Bench) -> None:
    """Keys that share limits are stopped by one name, others go on."""
    second = POLICY[POLICY.index("[keys.pay]") :].replace("keys.pay", "keys.other")
    ledger = bench.open(POLICY + second + GROUP)
    freeze(ledger, "group", "desk")
    assert code(one(ledger, pay())) == "FROZEN"
    granted(ledger, pay(key="other", id="r-2"))
    thaw(ledger, "group", "desk")
    granted(ledger, pay(id="r-3"))


@pytest.mark.parametrize(
    "scope", [Freeze("key", "pay"), Freeze("caller", ALICE.san), Freeze("all")]
)
def test_a_rate_holds_in_any_minute(bench: Bench, ledger: Ledger, scope: Freeze) -> None:
    """No more than so many are granted in 60 seconds, and the budget comes back after them."""
    ledger.duty.stop(slowing(scope, 2, SIEM, "slow down"))
    record: dict[str, Any] = last(ledger)
    assert (record["event"], record["detail"]) == ("rate", "2 a minute: slow down")
    granted(ledger, pay(1, id="a"))
    bench.clock.now += 30 * SECOND
    granted(ledger, pay(1, id="b"))
    assert code(one(ledger, pay(1, id="c"))) == "EMERGENCY_RATE"
    [limit] = [limit for limit in last(ledger)["limits"] if limit["span_ms"] == 60_000]
    assert (limit["after"]["requests"], limit["max"]) == (3, {"requests": 2})
    bench.clock.now += 30 * SECOND
    granted(ledger, pay(1, id="c"))
    assert code(one(ledger, pay(1, id="d"))) == "EMERGENCY_RATE"


def test_a_rate_is_only_lowered(ruled: Ledger) -> None:
    """A second rate may be lower, not higher; the quorum ends it."""
    ruled.duty.stop(slowing(USD, 5, A))
    with pytest.raises(RateNotLowerError, match="it is 5 a minute"):
        ruled.duty.stop(slowing(USD, 6, A))
    state = ruled.duty.stop(slowing(USD, 0, B))
    assert state.in_force is not None
    assert state.in_force.per_minute == 0
    assert code(one(ruled, pay())) == "EMERGENCY_RATE"
    for officer in (A, B, C):
        ruled.duty.end_stop(slowing(USD, 0, officer))
    assert last(ruled)["event"] == "rate.end"
    granted(ruled, pay())


def test_a_refusal_by_the_token_gives_a_rate_back(bench: Bench, ledger: Ledger) -> None:
    """What was not signed for certain does not count, and a resumption does not count twice."""
    ledger.duty.stop(slowing(Freeze("all"), 1, SIEM))
    first = granted(ledger, pay(1, id="a"))
    assert code(one(ledger, pay(1, id="b"))) == "EMERGENCY_RATE"
    ledger.settle([Outcome(first.approval, None, refused=True)])
    granted(ledger, pay(1, id="b"))
    bench.clock.now += 10 * SECOND
    granted(ledger, pay(1, id="b"))


def test_other_processes_see_a_stop_at_once(bench: Bench, ruled: Ledger) -> None:
    """One transaction of one process stops the next one of every other, and so does its end."""
    others = [bench.open(), bench.open()]
    freeze(others[0], "key", "pay")
    for number, ledger in enumerate((ruled, *others)):
        assert code(one(ledger, pay(1, id=f"f-{number}"))) == "FROZEN"
    for ledger, officer in zip((ruled, *others), (A, B, C), strict=True):
        ledger.duty.end_stop(freezing(Freeze("key", "pay"), officer))
    others[1].duty.stop(slowing(Freeze("key", "pay"), 1, SIEM))
    granted(ruled, pay(1, id="r-1"))
    for number, ledger in enumerate((ruled, *others)):
        assert code(one(ledger, pay(1, id=f"s-{number}"))) == "EMERGENCY_RATE"
