"""The desk hands out what is still wanted, and never less often than it was asked."""

import sys
import time

import pytest

from policy.algorithms import Algorithm
from signer.errors import ConfigError, HsmError, HsmOverloadedError, HsmUnavailableError
from signer.hsm import handover
from signer.hsm.desk import Desk
from signer.hsm.handover import new_desk
from signer.hsm.job import Item, Job, Way
from signer.hsm.line import BULK_TURN, Priority
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.verify import Verifier

pytestmark = pytest.mark.usefixtures("hand_over")

URGENT, BULK = WAYS = [
    Way(KeyVersion("key", 1), SCHEMES[Algorithm.ED25519], Verifier(lambda *_: True), priority)
    for priority in Priority
]


def _finished(desk: Desk, job: Job) -> None:
    assert desk.take(0) is job
    job.finish()
    assert job.wait(0)


def _left_in_the_line(desk: Desk, job: Job) -> None:
    desk.withdraw(job)
    job.abandon()


def _left_at_work(desk: Desk, job: Job) -> None:
    assert desk.take(0) is job
    job.abandon()
    job.finish()


def _left_and_put_back(desk: Desk, job: Job) -> None:
    assert desk.take(0) is job
    job.abandon()
    desk.put_back(job)
    desk.withdraw(job)


def _shut_out(desk: Desk, job: Job) -> None:
    desk.shut("why")
    desk.reopen()
    assert job.wait(0)


_ENDS = (_finished, _left_in_the_line, _left_at_work, _left_and_put_back, _shut_out)


def _job(desk: Desk, seconds: float, way: Way = URGENT, age: float = 0) -> Job:
    now = time.monotonic()
    return desk.job([Item(way, b"data", now + seconds)], now - age)


def test_expired_jobs_are_dropped() -> None:
    """A job whose time ran out in the line reaches no session; the next one does."""
    desk = new_desk(4)
    late, good = _job(desk, 0.01), _job(desk, 60)
    desk.submit(late)
    desk.submit(good)
    time.sleep(0.02)
    assert desk.take(0) is good
    assert desk.take(0) is None


def test_a_job_that_is_put_back_is_next_and_can_be_withdrawn() -> None:
    """After a failed try a job waits again: nobody works on it."""
    desk = new_desk(4)
    first, second = _job(desk, 60), _job(desk, 60)
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
    desk = new_desk(4)
    waiting, at_work = _job(desk, 60), _job(desk, 60)
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
        desk.submit(_job(desk, 60))
    desk.reopen()
    desk.submit(_job(desk, 60))


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
    desk, now = new_desk(1), time.monotonic()
    desk.submit(_job(desk, 60, age=waited))
    desk.served(0.01, now - served)
    with pytest.raises(HsmError) as raised:
        desk.submit(_job(desk, 60))
    assert type(raised.value) is wanted


def test_what_cannot_be_in_time_is_refused_at_once() -> None:
    """A job's own turn counts as well as that of those before it; the hint says how long it is."""
    desk = new_desk(4)
    desk.count(1)
    desk.served(1.0, time.monotonic())
    desk.submit(_job(desk, 60))
    with pytest.raises(HsmOverloadedError, match="1 requests would go first") as refused:
        desk.submit(_job(desk, 1.5))
    assert refused.value.seconds == 2
    desk.submit(_job(desk, 2.5))


def test_a_full_line_says_when_to_come_again() -> None:
    """The hint grows with the line, and is never so short that a burst would come back whole."""
    desk = new_desk(2)
    desk.count(1)
    for seconds, hint in ((0.0001, 0.05), (10.0, 3.0)):
        desk.served(seconds, time.monotonic())
        for _ in range(2 - desk.waiting()["urgent"]):
            desk.submit(_job(desk, 60))
        with pytest.raises(HsmOverloadedError, match="2 requests wait already") as refused:
            desk.submit(_job(desk, 60))
        assert refused.value.seconds == pytest.approx(hint, rel=0.01)


def test_how_crowded_the_line_is() -> None:
    """The share of jobs that found others waiting is of those since the last time."""
    desk = new_desk(8)
    assert desk.crowded() == 0
    for _ in range(4):
        desk.submit(_job(desk, 60))
    assert desk.crowded() == 0.75
    assert desk.crowded() == 0


def test_an_errand_is_for_one_slot() -> None:
    """A job that is sent to a slot is taken there, before all others, and nowhere else."""
    desk = new_desk(4)
    job, errand = _job(desk, 60), _job(desk, 60)
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
        desk.send(_job(desk, 60), "a")


def test_orders_go_first_and_nobody_starves() -> None:
    """Urgent jobs overtake bulk ones but for every eighth taken; each class has its bound."""
    desk = new_desk(2 * BULK_TURN)
    bulk = [_job(desk, 60, BULK) for _ in range(2)]
    urgent = [_job(desk, 60) for _ in range(2 * BULK_TURN)]
    for job in (*bulk, *urgent):
        desk.submit(job)
    assert desk.waiting() == {"urgent": 2 * BULK_TURN, "bulk": 2}
    with pytest.raises(HsmOverloadedError, match=f"{2 * BULK_TURN + 2} requests wait already"):
        desk.submit(_job(desk, 60))
    taken = [desk.take(0) for _ in range(2 * BULK_TURN + 2)]
    places = [taken.index(job) for job in bulk]
    assert places == [BULK_TURN - 1, 2 * BULK_TURN - 1]
    assert [job for job in taken if job not in bulk] == urgent


def test_a_slot_leaves_what_it_failed_to_others_for_some_time() -> None:
    """Others take such a job at once; the slot itself takes what comes after it meanwhile."""
    desk = new_desk(4)
    failed, other = _job(desk, 60), _job(desk, 60)
    desk.submit(failed)
    assert desk.take(0, "a") is failed
    failed.avoid("a", time.monotonic() + 0.05)
    desk.put_back(failed)
    assert desk.take(0, "a") is None
    assert desk.take(0, "b") is failed
    desk.put_back(failed)
    desk.submit(other)
    time.sleep(0.06)
    assert desk.take(0, "a") is failed


def test_a_job_that_ended_or_was_left_is_let_go(hand_over: str) -> None:
    """Nothing keeps a job once its caller is through with it, whatever became of it."""
    desk = new_desk(4)
    before = sys.getrefcount(desk)
    for end in _ENDS:
        job = _job(desk, 60)
        desk.submit(job)
        end(desk, job)
        assert sys.getrefcount(job) == 2, end
    assert desk.waiting() == {"urgent": 0, "bulk": 0}
    assert sys.getrefcount(desk) <= before + 1


def test_the_variable_chooses_the_hand_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it names is used, without it the compiled one; a word that means none is an error."""
    for wanted, module in (("plain", "plain"), ("compiled", "compiled"), ("", "compiled")):
        monkeypatch.setenv(handover.VARIABLE, wanted)
        assert type(new_desk(1)).__module__ == f"signer.hsm.{module}"
    monkeypatch.setenv(handover.VARIABLE, "fast")
    with pytest.raises(ConfigError, match="SIGNGATE_HAND_OVER=fast: needs compiled or plain"):
        new_desk(1)
