"""Time and policy changes: no window ever forgets too early."""

import pytest

from policy.windows import EXACT
from signer.ledger import Ledger
from signer.model import Outcome
from tests.support.ledgers import (
    HOUR,
    OFFICER,
    POLICY,
    SECOND,
    START_MS,
    Bench,
    code,
    granted,
    last,
    one,
    pay,
    spent,
)


def fill(ledger: Ledger) -> None:
    """Use the hour's window up."""
    for number in range(10):
        granted(ledger, pay(10_000, id=f"fill-{number}"))
    assert code(one(ledger, pay(1, id="over"))) == "LIMIT_WINDOW_TOTAL"


def test_the_last_moment_of_a_window(bench: Bench, ledger: Ledger) -> None:
    """The budget comes back exactly one span after it was spent."""
    fill(ledger)
    bench.clock.now += HOUR - 1
    assert code(one(ledger, pay(1, id="early"))) == "LIMIT_WINDOW_TOTAL"
    bench.clock.now += 1
    assert spent(ledger) == 0
    granted(ledger, pay(10_000, id="late"))


def test_the_last_moment_of_each_charge_in_a_busy_window(bench: Bench, ledger: Ledger) -> None:
    """Each comes back exactly one span later, in any process, but for what was given back."""
    ledgers, charges = [ledger, bench.open()], 3 * EXACT
    for number in range(charges):
        bench.clock.now = START_MS + 7 * number
        approval = granted(ledgers[number % 2], pay(1, id=f"{number}")).approval
        if number == charges - 10:
            ledgers[number % 2].settle([Outcome(approval, None, refused=True)])
    for number in (0, EXACT, EXACT + 1, charges - 11, charges - 10, charges - 9, charges - 1):
        left = charges - number - (number <= charges - 10)
        for early in (1, 0):
            bench.clock.now = START_MS + 7 * number + HOUR - early
            gone = 0 if early or number == charges - 10 else 1
            assert [spent(each) for each in ledgers] == [left - gone] * 2


def test_a_clock_that_is_set_back(bench: Bench, ledger: Ledger) -> None:
    """Time never runs backwards in the ledger, and records say that the clock is behind."""
    fill(ledger)
    bench.clock.now -= 2 * HOUR
    assert code(one(ledger, pay(1, id="back"))) == "LIMIT_WINDOW_TOTAL"
    record = last(ledger)
    assert record["clock"] == {"state": "behind", "behind_ms": 2 * HOUR}
    assert record["time"] == "2027-01-15T08:00:00.000Z"
    bench.clock.now += 3 * HOUR - 1
    assert code(one(ledger, pay(1, id="not yet"))) == "LIMIT_WINDOW_TOTAL"
    bench.clock.now += 1
    granted(ledger, pay(1, id="now"))


def test_the_newest_time_survives_a_restart(bench: Bench, ledger: Ledger) -> None:
    """Setting the clock back while the service is down gains nothing."""
    fill(ledger)
    bench.clock.now += HOUR // 2
    assert code(one(ledger, pay(1, id="mid"))) == "LIMIT_WINDOW_TOTAL"
    bench.close()
    bench.clock.now = START_MS - HOUR
    reopened = bench.open()
    assert code(one(reopened, pay(1, id="again"))) == "LIMIT_WINDOW_TOTAL"
    assert last(reopened)["clock"]["behind_ms"] == HOUR + HOUR // 2


def test_windows_survive_a_restart(bench: Bench, ledger: Ledger) -> None:
    """Usage is read back as it was, and goes on expiring."""
    granted(ledger, pay(3000, id="a"))
    bench.clock.now += HOUR // 2
    granted(ledger, pay(4000, id="b"))
    bench.close()
    reopened = bench.open()
    assert spent(reopened) == 7000
    bench.clock.now += HOUR // 2
    assert spent(reopened) == 4000
    granted(reopened, pay(1, id="c"))
    bench.close()
    assert spent(bench.open()) == 4001


def test_amounts_beyond_64_bits(bench: Bench) -> None:
    """Totals are exact however large they are, through restarts and refunds."""
    policy = POLICY.replace('"100"', f'"{2**200}"').replace('"1000"', f'"{2**201}"')
    ledger = bench.open(policy)
    first = granted(ledger, pay(2**199 + 1, id="a"))
    granted(ledger, pay(2**150, id="b"))
    bench.close()
    reopened = bench.open()
    assert spent(reopened) == 2**199 + 1 + 2**150
    reopened.settle([Outcome(first.approval, None, refused=True)])
    assert spent(reopened) == 2**150


@pytest.mark.parametrize("span", ["30m", "2h", "7d"])
def test_a_policy_change_in_the_middle_of_a_window(bench: Bench, ledger: Ledger, span: str) -> None:
    """A window of another span starts with what was spent, not with nothing."""
    fill(ledger)
    bench.clock.now += 60 * SECOND
    ledger.activate_policy(POLICY.replace('"1h"', f'"{span}"'), OFFICER)
    assert code(one(ledger, pay(1, id="after"))) == "LIMIT_WINDOW_TOTAL"
    bench.close()
    reopened = bench.open()
    assert code(one(reopened, pay(1, id="reopened"))) == "LIMIT_WINDOW_TOTAL"
    ledger_spans = {"30m": 1800, "2h": 7200, "7d": 7 * 86_400}
    bench.clock.now = START_MS + ledger_spans[span] * SECOND
    granted(reopened, pay(10_000, id="free again"))


def test_what_a_window_inherits_stays(bench: Bench, ledger: Ledger) -> None:
    """What a new window took over counts on when it has charges of its own, after a restart too."""
    granted(ledger, pay(3000, id="a"))
    bench.clock.now += 60 * SECOND
    ledger.activate_policy(POLICY.replace('"1h"', '"2h"'), OFFICER)
    granted(ledger, pay(4000, id="b"))
    bench.close()
    assert spent(bench.open()) == 7000


def test_a_window_that_a_policy_left_out_for_a_while(bench: Bench) -> None:
    """A span that was not in force meanwhile still counts what was spent meanwhile."""
    with_week = POLICY.replace('"1000" }', '"1000" }, { span = "7d", total = "150" }')
    ledger = bench.open(with_week)
    granted(ledger, pay(5000, id="a"))
    ledger.activate_policy(POLICY, OFFICER)
    granted(ledger, pay(10_000, id="b"))
    bench.clock.now += 2 * HOUR  # the hour's window has forgotten by now
    granted(ledger, pay(1, id="c"))
    ledger.activate_policy(with_week, OFFICER)
    assert code(one(ledger, pay(1, id="d"))) == "LIMIT_WINDOW_TOTAL"
    bench.close()
    assert code(one(bench.open(), pay(1, id="e"))) == "LIMIT_WINDOW_TOTAL"


def test_a_refund_reaches_every_span(bench: Bench) -> None:
    """What is given back is given back to the spans that are not in force, too."""
    with_week = POLICY.replace('"1000" }', '"1000" }, { span = "7d", total = "100" }')
    ledger = bench.open(with_week)
    granted(ledger, pay(1, id="a"))
    ledger.activate_policy(POLICY, OFFICER)
    back = granted(ledger, pay(9000, id="b"))
    ledger.settle([Outcome(back.approval, None, refused=True)])
    ledger.activate_policy(with_week, OFFICER)
    granted(ledger, pay(9999, id="c"))


def test_a_quiet_window_inherits_nothing(bench: Bench) -> None:
    """A short window that went empty stays empty beside a longer one."""
    policy = POLICY.replace('"1000" }', '"1000" }, { span = "10s", total = "100" }')
    ledger = bench.open(policy)
    granted(ledger, pay(10_000, id="a"))
    assert code(one(ledger, pay(1, id="b"))) == "LIMIT_WINDOW_TOTAL"
    bench.clock.now += 10 * SECOND
    bench.close()
    reopened = bench.open()
    granted(reopened, pay(10_000, id="c"))


def test_a_refund_after_the_window_has_passed(bench: Bench, ledger: Ledger) -> None:
    """What has left the window is not given back a second time."""
    late = granted(ledger, pay(100, id="late"))
    bench.clock.now += HOUR
    granted(ledger, pay(7, id="young"))
    ledger.settle([Outcome(late.approval, None, refused=True)])
    assert spent(ledger) == 7


def test_expired_buckets_are_forgotten(bench: Bench, ledger: Ledger) -> None:
    """The file keeps no usage that no longer counts."""
    granted(ledger, pay(1, id="a"))
    bench.clock.now += HOUR
    assert spent(ledger) == 0
    other = POLICY.replace('"1h"', '"2h"')
    store = ledger._writer._memory.store
    rows = "SELECT count(*) FROM buckets"
    assert store._connection.execute(rows).fetchone() == (0,)  # type: ignore[attr-defined] # SQLite's
    granted(ledger, pay(1, id="b"))
    bench.clock.now += 2 * HOUR
    ledger.activate_policy(other, OFFICER)
    assert store._connection.execute(rows).fetchone() == (0,)  # type: ignore[attr-defined] # SQLite's
