"""Threads in turn: a burst of one caller starves nobody, and no thread is lost."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from signer.errors import LedgerUnavailableError, TooManyStreamsError
from signer.model import Limited
from signer.rpc.fair import FairPool
from signer.rpc.front import Front, Shed
from signer.rpc.refusals import Refusals
from signer.rpc.streams import Streams
from tests.support.switched import wait_for

WAIT = 30


@pytest.fixture
def blocked() -> Iterator[threading.Event]:
    """What holds threads up until it is set, at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


def nothing(_lane: str, _args: tuple[Any, ...]) -> bool:
    """Shed no call."""
    return False


def pool(threads: int, waiting: int = 1000, shed: Shed = nothing) -> Any:
    """Return a pool whose lane is the first argument."""
    return closing(_Pool(threads, waiting, shed))


class _Pool:
    """Gives futures, which the transport has no use for."""

    def __init__(self, threads: int, waiting: int, shed: Shed) -> None:
        self.front = Front(threads, waiting, lambda args: args[0], shed)
        self.close = self.front.shutdown

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run(*given: Any) -> None:
            try:
                future.set_result(work(*given))
            except BaseException as error:
                future.set_exception(error)
                raise

        def ended(_: Any) -> None:
            if not future.done():  # it was shed
                future.set_result(None)

        self.front.submit(run, *args).add_done_callback(ended)
        return future


def test_a_burst_waits_behind_nobody(blocked: threading.Event) -> None:
    """With a hundred calls of one caller waiting, another's is the next or next but one."""
    order: list[str] = []
    with pool(1) as threads:
        threads.submit(lambda _lane: blocked.wait(WAIT), "busy")
        burst = [threads.submit(order.append, "burst") for _ in range(100)]
        other = [threads.submit(order.append, "other") for _ in range(2)]
        blocked.set()
        for future in (*burst, *other):
            future.result(WAIT)
    assert [place for place, name in enumerate(order) if name == "other"] == [1, 3]


def test_one_caller_never_has_all_threads(blocked: threading.Event) -> None:
    """Calls that hang take three quarters of the threads; the rest serves the others."""
    running = threading.Semaphore(0)

    def hang(_lane: str) -> None:
        running.release()
        blocked.wait(WAIT)

    with pool(8) as threads:
        hanging = [threads.submit(hang, "slow") for _ in range(20)]
        for _ in range(6):
            assert running.acquire(timeout=WAIT)
        for number in range(100):
            assert (
                threads.submit(lambda _lane, found: found, "other", number).result(WAIT) == number
            )
        assert not running.acquire(blocking=False)
        blocked.set()
        for future in hanging:
            future.result(WAIT)


def test_what_is_over_a_lanes_bound_is_shed_at_once(blocked: threading.Event) -> None:
    """The newest calls beyond the bound never run, and need no thread to be refused."""
    shed: list[tuple[str, tuple[Any, ...]]] = []

    def refuse(lane: str, args: tuple[Any, ...]) -> bool:
        shed.append((lane, args))
        return True

    ran: list[int] = []
    with pool(1, 3, refuse) as threads:
        threads.submit(lambda _lane: blocked.wait(WAIT), "busy")
        calls = [
            threads.submit(lambda _lane, number: ran.append(number), "burst", number)
            for number in range(5)
        ]
        assert [call.done() for call in calls] == [False] * 3 + [True] * 2
        assert shed == [("burst", ("burst", number)) for number in (3, 4)]
        other = threads.submit(lambda _lane: 7, "other")
        blocked.set()
        assert other.result(WAIT) == 7
        for call in calls:
            call.result(WAIT)
        threads.submit(lambda _lane, number: ran.append(number), "burst", 5).result(WAIT)
    assert ran == [0, 1, 2, 5]


def test_what_is_not_to_be_shed_runs_next(blocked: threading.Event) -> None:
    """A health check need not wait for its caller's other calls, however many these are."""
    order: list[str] = []
    with pool(1, 2, lambda _lane, args: args[1] != "health") as threads:
        threads.submit(lambda _lane: blocked.wait(WAIT), "busy")
        calls = [
            threads.submit(lambda _lane, what: order.append(what), "a", what)
            for what in ("first", "second", "third", "health")
        ]
        blocked.set()
        for call in calls:
            call.result(WAIT)
    assert order == ["health", "first", "second"]


def test_errors_cost_no_thread() -> None:
    """A call that fails is over, and so is one whose lane can't be told: that is one lane."""
    with pool(1) as threads:
        failed = threads.submit(lambda lane: lane / 0, "a")
        assert isinstance(failed.exception(WAIT), TypeError)
        assert threads.submit(lambda: 7).result(WAIT) == 7
        wait_for(lambda: not threads.front._waiting, WAIT)


def test_the_thread_that_was_at_work_last_is_woken_first() -> None:
    """Calls one after the other need one thread's memory in the cache, not that of all in turn."""
    with closing(FairPool(4)) as threads:
        ran: list[int] = []
        for _ in range(8):
            wait_for(lambda: len(threads._idle) == 4)
            ended: Future[None] = Future()
            ended.add_done_callback(lambda _: ran.append(threading.get_ident()))
            threads.put("lane", partial(ended.set_result, None))
            ended.result(WAIT)
    assert len(set(ran)) == 1


def test_threads_end_with_the_pool() -> None:
    """After a shutdown what waits has run and no thread is left."""
    made = _Pool(3, 10, nothing)
    results = [made.submit(lambda lane: lane, str(number)) for number in range(20)]
    made.close()
    assert [future.result(WAIT) for future in results] == [str(number) for number in range(20)]
    for thread in made.front._pool._threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_streams_are_bounded_for_each_caller_and_together() -> None:
    """A caller's bound leaves room for others, and a stream that ends gives its place back."""
    streams = Streams(each=1, together=2)
    with streams.of("a"):
        with pytest.raises(TooManyStreamsError, match="1 streams of this caller"), streams.of("a"):
            pytest.fail("it opened")
        with (
            streams.of("b"),
            pytest.raises(TooManyStreamsError, match="2 streams are open"),
            streams.of("c"),
        ):
            pytest.fail("it opened")
        with streams.of("c"):
            pass
    with streams.of("a"):
        pass


def test_refusals_are_written_together_and_never_lost() -> None:
    """What was refused is written in one go; while the ledger is down it is kept."""
    written: list[Mapping[Limited, int]] = []
    down = [LedgerUnavailableError("down")]

    def write(counts: Mapping[Limited, int]) -> None:
        if down:
            raise down.pop()
        written.append(dict(counts))

    refusals = Refusals(write, period_seconds=0.05)
    for _ in range(5):
        refusals.add(Limited("a", "caller"))
    refusals.add(Limited("b", "share"))
    wait_for(lambda: written, WAIT)
    refusals.add(Limited("b", "share"))
    refusals.close()
    total: dict[Limited, int] = {}
    for counts in written:
        for refused, count in counts.items():
            total[refused] = total.get(refused, 0) + count
    assert total == {Limited("a", "caller"): 5, Limited("b", "share"): 2}
