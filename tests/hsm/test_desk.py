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
