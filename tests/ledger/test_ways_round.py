"""Ways round a policy by time and state: each is refused with a named reason, or counted.

What is tested elsewhere is not here: the races at the end of a window and kills in
``test_races``, other payloads under one id in ``test_retries``, windows, clocks and policy
changes in ``test_ledger_time``.
"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from policy.freezes import Freeze
from signer.ledger import Ledger
from signer.ledger.stops import slowing
from signer.model import Caller, Refused
from tests.support.ledgers import (
    ALICE,
    HOUR,
    OFFICER,
    POLICY,
    SECOND,
    Bench,
    code,
    freeze,
    granted,
    one,
    pay,
    spent,
)

A, B = (Caller(f"spiffe://firm.example/officer/{name}", "", "") for name in "ab")
APPROVAL = f'approval = {{ above = "50", quorum = 2, approvers = ["{A.san}", "{B.san}"] }}'
HELD = POLICY.replace('destinations = ["@friends"]', f'destinations = ["@friends"]\n{APPROVAL}')
LONDON = 'hours = { tz = "Europe/London", days = "mon-sun", from = "01:00", to = "02:00" }'
LARGE = pay(5001, id="large")
# In 2027 London's clocks go from 01:00 to 02:00 GMT/BST on 28 March, back on 31 October.
SPRING_MS = 1_806_195_600_000
AUTUMN_MS = 1_824_944_400_000


def hold(ledger: Ledger) -> int:
    """Have a large request held."""
    verdict = one(ledger, LARGE)
    assert isinstance(verdict, Refused)
    assert verdict.hold is not None
    return int(verdict.hold.removeprefix("approvals/"))


def approve(ledger: Ledger, number: int) -> None:
    """Have its quorum agree."""
    for by in (A, B):
        ledger.duty.approve(number, by, LARGE.payload_sha256)


def test_a_thousand_small_requests(ledger: Ledger) -> None:
    """Small amounts add up to the last unit, and the next one is refused."""
    ledger.decide([pay(100, id=f"r-{number}") for number in range(500)])
    ledger.decide([pay(100, id=f"s-{number}") for number in range(499)])
    granted(ledger, pay(99, id="t"))
    assert code(one(ledger, pay(2, id="over"))) == "LIMIT_WINDOW_TOTAL"
    granted(ledger, pay(1, id="exact"))
    assert code(one(ledger, pay(1, id="more"))) == "LIMIT_WINDOW_TOTAL"


def test_requests_below_the_threshold_are_bounded_by_the_windows(bench: Bench) -> None:
    """Splitting a large amount into small ones gets round the approval, not round the limits."""
    ledger = bench.open(HELD)
    parts = [pay(5000, id=f"part-{number}") for number in range(21)]
    refused = [item for item in ledger.decide(parts) if isinstance(item, Refused)]
    assert [code(item) for item in refused] == ["LIMIT_WINDOW_TOTAL"]


def test_two_names_for_one_key(ledger: Ledger) -> None:
    """With and without its version it is one key: one window, one id, one freeze."""
    granted(ledger, pay(10_000, id="a"))
    granted(ledger, pay(10_000, id="b", version=1))
    assert spent(ledger) == 20_000
    assert code(one(ledger, pay(10_000, id="a", version=1))) == "REQUEST_IN_PROGRESS"
    freeze(ledger, "key", "pay")
    assert code(one(ledger, pay(1, id="c", version=1))) == "FROZEN"


@pytest.mark.parametrize("back_ms", [1, HOUR, 1000 * HOUR])
def test_a_clock_set_back_lengthens_no_hold(bench: Bench, back_ms: int) -> None:
    """A hold lives by the newest time the ledger saw, in every process and after a restart."""
    ledger = bench.open(HELD)
    approve(ledger, hold(ledger))
    bench.clock.now += HOUR
    one(ledger, pay(1, id="tick"))
    bench.clock.now -= back_ms
    assert code(one(ledger, LARGE)) == "APPROVAL_REQUIRED"
    bench.close()
    assert code(one(bench.open(HELD), LARGE)) == "APPROVAL_REQUIRED"


def test_a_clock_set_back_gives_no_rate_back(bench: Bench, ledger: Ledger) -> None:
    """An emergency rate's minute ends by the newest time the ledger saw."""
    ledger.duty.stop(slowing(Freeze("all"), 1, OFFICER))
    granted(ledger, pay(1, id="a"))
    bench.clock.now -= HOUR
    assert code(one(ledger, pay(1, id="b"))) == "EMERGENCY_RATE"
    bench.clock.now += HOUR + 60 * SECOND - 1
    assert code(one(ledger, pay(1, id="b"))) == "EMERGENCY_RATE"
    bench.clock.now += 1
    granted(ledger, pay(1, id="b"))


@pytest.mark.parametrize(
    ("at_ms", "is_open"),
    [
        (SPRING_MS - 1, False),
        (SPRING_MS, False),  # 02:00 on the wall: the hour from 01:00 does not exist
        (AUTUMN_MS - HOUR - 1, False),
        (AUTUMN_MS - HOUR, True),  # the hour from 01:00 comes twice
        (AUTUMN_MS, True),
        (AUTUMN_MS + HOUR - 1, True),
        (AUTUMN_MS + HOUR, False),
    ],
)
def test_hours_at_the_change_of_clocks(bench: Bench, at_ms: int, *, is_open: bool) -> None:
    """A grant is open by the wall clock: not at all where its hour is left out."""
    grant = 'destinations = ["@friends"]'
    ledger = bench.open(POLICY.replace(grant, f"{grant}\n{LONDON}"))
    bench.clock.now = at_ms
    verdict = one(ledger, pay())
    if is_open:
        assert not isinstance(verdict, Refused)
    else:
        assert code(verdict) == "OUTSIDE_HOURS"


def crash(bench: Bench) -> Ledger:
    """Leave every ledger open, as a killed process does, and open another."""
    bench.opened.clear()
    return bench.open(HELD)


@pytest.mark.parametrize("steps", range(4))
def test_a_crash_at_each_step_of_a_hold(bench: Bench, steps: int) -> None:
    """Held, half approved, approved, granted: another process goes on where it was."""
    ledger = bench.open(HELD)
    done: list[Callable[[Ledger], object]] = [
        hold,
        lambda found: found.duty.approve(number, A, LARGE.payload_sha256),
        lambda found: found.duty.approve(number, B, LARGE.payload_sha256),
        lambda found: granted(found, LARGE),
    ]
    number = hold(ledger)
    for place, step in enumerate(done):
        if place == steps:
            ledger = crash(bench)
        step(ledger)
    assert code(one(ledger, LARGE)) == "REQUEST_IN_PROGRESS"
    assert spent(ledger) == 5001
    bench.clock.now += bench.settings.lease_ms
    granted(crash(bench), LARGE)
    assert spent(bench.open(HELD)) == 5001


def test_an_approval_outlives_no_policy_that_forbids(bench: Bench) -> None:
    """What was approved under one policy is decided by the one in force when it is repeated."""
    ledger = bench.open(HELD)
    approve(ledger, hold(ledger))
    ledger.activate_policy(HELD.replace('per_request = "100"', 'per_request = "50"'), OFFICER)
    assert code(one(ledger, LARGE)) == "LIMIT_PER_REQUEST"
    ledger.activate_policy(HELD, OFFICER)
    stranger = replace(ALICE, address="198.51.100.1:1")
    granted(ledger, replace(LARGE, caller=stranger))  # the same caller from elsewhere
