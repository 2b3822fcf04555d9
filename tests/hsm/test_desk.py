"""The desk hands out what is still wanted, and never less often than it was asked."""

import time

import pytest

from policy.algorithms import Algorithm
from signer.errors import HsmError, HsmOverloadedError, HsmUnavailableError
from signer.hsm.desk import Desk
from signer.hsm.job import Item, Job, Way
from signer.hsm.line import Priority
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion

WAY = Way(KeyVersion("key", 1), SCHEMES[Algorithm.ED25519], lambda *_: True, Priority.URGENT)


def _job(seconds: float) -> Job:
    now = time.monotonic()
    return Job([Item(WAY, b"data", now + seconds)], now)


def test_expired_jobs_are_dropped() -> None:
    """A job whose time ran out in the line reaches no session; the next one does."""
    desk = Desk(4)
    late, good = _job(0.01), _job(60)
    desk.submit(late)
    desk.submit(good)
    time.sleep(0.02)
    assert desk.take(0) is good
    assert desk.take(0) is None
    assert good.dispatched
    assert not late.dispatched


def test_a_job_that_is_put_back_is_next_and_can_be_withdrawn() -> None:
    """After a failed try a job waits again: nobody works on it."""
    desk = Desk(4)
    first, second = _job(60), _job(60)
    desk.submit(first)
    desk.submit(second)
    taken = desk.take(0)
    assert taken is first
    desk.put_back(first)
    assert desk.take(0) is first
    desk.put_back(first)
    desk.withdraw(first)
    assert desk.take(0) is second


def test_a_shut_desk_ends_every_job() -> None:
    """What waits, what is put back and what comes later hears the reason; then it goes on."""
    desk = Desk(4)
    waiting, at_work = _job(60), _job(60)
    desk.submit(at_work)
    desk.take(0)
    desk.submit(waiting)
    desk.shut("why")
    desk.put_back(at_work)
    for job in (waiting, at_work):
        assert job.wait(0)
        with pytest.raises(HsmUnavailableError, match="why"):
            job.items[0].result()
    with pytest.raises(HsmUnavailableError, match="why"):
        desk.submit(_job(60))
    desk.reopen()
    desk.submit(_job(60))


@pytest.mark.parametrize(
    ("waited", "served", "wanted"),
    [
        (0.5, 2.0, HsmOverloadedError),
        (2.0, 0.5, HsmOverloadedError),
        (2.0, 2.0, HsmUnavailableError),
    ],
    ids=["a burst", "slow", "away"],
)
def test_a_silent_token_is_away_and_not_overloaded(
    waited: float, served: float, wanted: type[HsmError]
) -> None:
    """Who finds the line full hears which: nothing was answered, and somebody waited, for long."""
    desk, now = Desk(1), time.monotonic()
    desk.submit(Job([Item(WAY, b"data", now + 60)], now - waited))
    desk.served(0.01, now - served)
    with pytest.raises(HsmError) as raised:
        desk.submit(_job(60))
    assert type(raised.value) is wanted


def test_what_cannot_be_in_time_is_refused_at_once() -> None:
    """A job's own turn counts as well as that of those before it; the hint says how long it is."""
    desk = Desk(4)
    desk.count(1)
    desk.served(1.0, time.monotonic())
    desk.submit(_job(60))
    with pytest.raises(HsmOverloadedError, match="1 requests would go first") as refused:
        desk.submit(_job(1.5))
    assert refused.value.seconds == 2
    desk.submit(_job(2.5))


def test_a_full_line_says_when_to_come_again() -> None:
    """The hint grows with the line, and is never so short that a burst would come back whole."""
    desk = Desk(2)
    desk.count(1)
    for seconds, hint in ((0.0001, 0.05), (10.0, 3.0)):
        desk.served(seconds, time.monotonic())
        for _ in range(2 - len(desk._line)):
            desk.submit(_job(60))
        with pytest.raises(HsmOverloadedError, match="2 requests wait already") as refused:
            desk.submit(_job(60))
        assert refused.value.seconds == pytest.approx(hint, rel=0.01)


def test_how_crowded_the_line_is() -> None:
    """The share of jobs that found others waiting is of those since the last time."""
    desk = Desk(8)
    assert desk.crowded() == 0
    for _ in range(4):
        desk.submit(_job(60))
    assert desk.crowded() == 0.75
    assert desk.crowded() == 0


def test_an_errand_is_for_one_slot() -> None:
    """A job that is sent to a slot is taken there, before all others, and nowhere else."""
    desk = Desk(4)
    job, errand = _job(60), _job(60)
    desk.submit(job)
    desk.send(errand, "a")
    assert desk.take(0, "b") is job
    assert desk.take(0, "b") is None
    assert desk.take(0, "a") is errand
    desk.send(errand, "a")
    desk.withdraw(errand)
    assert desk.take(0, "a") is None
    desk.send(errand, "a")
    desk.shut("why")
    assert errand.wait(0)
    with pytest.raises(HsmUnavailableError, match="why"):
        desk.send(_job(60), "a")
