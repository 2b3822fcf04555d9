"""Threads for calls, handed out in turn among callers: one's burst starves nobody else.

Each caller has a lane. The next free thread takes the oldest call of the next lane in
turn; one lane never has all threads, and of a lane that is full the newest calls are shed:
refused at once, without a thread. All of that is per process.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple, ParamSpec, TypeVar

import structlog

P = ParamSpec("P")
T = TypeVar("T")
LaneOf = Callable[[tuple[Any, ...]], str]
Shed = Callable[[str, tuple[Any, ...]], bool]
_log = structlog.get_logger(__name__)
_SETTLED: Future[Any] = Future()  # of every call that was shed: nothing more comes of it
_SETTLED.set_result(None)


class _Task(NamedTuple):
    lane: str
    future: Future[Any]
    work: Callable[[], Any]
    beyond: bool  # its lane's bound

    def run(self) -> None:
        """Do the work, unless it was cancelled; the result goes to the future."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.work()
        except BaseException as error:  # noqa: BLE001 - it is the future's, whatever it is
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Turns:
    """What waits and what runs, by lane; the caller holds the lock."""

    def __init__(self, running: int, waiting: int) -> None:
        """Bound how many calls of one lane run and wait."""
        self._most_running = running
        self._most_waiting = waiting
        self._waiting: dict[str, deque[_Task]] = {}
        self._order: deque[str] = deque()  # the lanes in which something waits
        self._running: dict[str, int] = {}
        self._beyond: deque[_Task] = deque()

    def is_full(self, lane: str) -> bool:
        """Whether as many calls of a lane wait as may."""
        return len(self._waiting.get(lane, ())) >= self._most_waiting

    def add(self, lane: str, future: Future[Any], work: Callable[[], Any]) -> None:
        """Let a call wait; beyond its lane's bound it goes before all others."""
        if self.is_full(lane):
            self._beyond.append(_Task(lane, future, work, beyond=True))
            return
        queue = self._waiting.get(lane)
        if queue is None:
            queue = self._waiting[lane] = deque()
            self._order.append(lane)
        queue.append(_Task(lane, future, work, beyond=False))

    def take(self) -> _Task | None:
        """Return the next call to run; None where only lanes wait that have their share."""
        if self._beyond:
            return self._beyond.popleft()
        for _ in range(len(self._order)):
            lane = self._order[0]
            self._order.rotate(-1)
            if self._running.get(lane, 0) < self._most_running:
                return self._start(lane)
        return None

    def _start(self, lane: str) -> _Task:
        task = self._waiting[lane].popleft()
        if not self._waiting[lane]:
            del self._waiting[lane]
            self._order.pop()  # its turn was just now, so it is the last
        self._running[lane] = self._running.get(lane, 0) + 1
        return task

    def end(self, task: _Task) -> None:
        """Note that a call has ended."""
        if task.beyond:
            return
        self._running[task.lane] -= 1
        if not self._running[task.lane]:
            del self._running[task.lane]


class FairPool(Executor):
    """The threads.

    ``lane_of`` names the lane of a submission by its arguments; ``shed`` refuses one whose
    lane is full, or returns False for what is to run all the same, and soon.
    """

    def __init__(self, threads: int, max_waiting: int, lane_of: LaneOf, shed: Shed) -> None:
        """Start the threads; one lane runs on at most three quarters of them."""
        self._lane_of = lane_of
        self._shed = shed
        self._lock = threading.Lock()
        self._calls = Turns(max(1, threads - threads // 4), max_waiting)
        self._tickets: SimpleQueue[bool] = SimpleQueue()  # one for each call that may start
        self._parked = 0  # tickets that found only lanes that have their share
        self._threads = [
            threading.Thread(target=self._work, name=f"rpc-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a call wait for its turn, or refuse it."""
        lane = self._lane(args)
        with self._lock:
            full = self._calls.is_full(lane)
        if full and self._shed(lane, args):
            return _SETTLED
        future: Future[T] = Future()
        with self._lock:
            self._calls.add(lane, future, partial(work, *args, **kwargs))
        self._tickets.put(True)  # noqa: FBT003 - a ticket
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the base's signature
        """End the threads once everything that waits has run."""
        for _ in self._threads:
            self._tickets.put(False)  # noqa: FBT003 - the end

    def _lane(self, args: tuple[Any, ...]) -> str:
        try:
            return self._lane_of(args)
        except Exception:  # noqa: BLE001 - fairness must not cost a call
            _log.exception("a call's lane could not be told")
            return ""

    def _work(self) -> None:
        while self._tickets.get():
            with self._lock:
                task = self._calls.take()
                self._parked += task is None
            if task is not None:
                task.run()
                with self._lock:
                    self._calls.end(task)
                    again, self._parked = self._parked, 0
                for _ in range(again):
                    self._tickets.put(True)  # noqa: FBT003 - a ticket
