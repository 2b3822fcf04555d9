"""Threads for calls, handed out in turn among callers: one's burst starves nobody else.

Each caller has a lane. The next free thread takes the oldest call of the next lane in
turn, and one lane never has all threads. All of that is per process.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import structlog

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Queues(Generic[T]):
    """What waits, by lane; the caller holds the lock."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._order: deque[str] = deque()  # the lanes in which something waits

    def add(self, lane: str, item: T) -> None:
        """Let an item wait."""
        queue = self._waiting.get(lane)
        if queue is None:
            queue = self._waiting[lane] = deque()
            self._order.append(lane)
        queue.append(item)

    def take(self, may: Callable[[str], bool] = lambda _lane: True) -> T | None:
        """Return the oldest item of the next lane in turn that may have one."""
        for _ in range(len(self._order)):
            lane = self._order[0]
            self._order.rotate(-1)
            if may(lane):
                return self._next(lane)
        return None

    def _next(self, lane: str) -> T:
        queue = self._waiting[lane]
        item = queue.popleft()
        if not queue:
            del self._waiting[lane]
            self._order.pop()  # its turn was just now, so it is the last
        return item


class _Task(NamedTuple):
    lane: str
    work: Callable[[], object]
    urgent: bool  # and none of its lane's share


class Turns:
    """What waits and what runs, by lane; the caller holds the lock."""

    def __init__(self, running: int) -> None:
        """Bound how many calls of one lane run."""
        self._most_running = running
        self._waiting = Queues[_Task]()
        self._running: dict[str, int] = {}
        self._urgent: deque[_Task] = deque()

    def add(self, task: _Task) -> None:
        """Let a call wait; an urgent one goes before all others."""
        if task.urgent:
            self._urgent.append(task)
        else:
            self._waiting.add(task.lane, task)

    def take(self) -> _Task | None:
        """Return the next call to run; None where only lanes wait that have their share."""
        if self._urgent:
            return self._urgent.popleft()
        task = self._waiting.take(lambda lane: self._running.get(lane, 0) < self._most_running)
        if task is not None:
            self._running[task.lane] = self._running.get(task.lane, 0) + 1
        return task

    def end(self, task: _Task) -> None:
        """Note that a call has ended."""
        if task.urgent:
            return
        self._running[task.lane] -= 1
        if not self._running[task.lane]:
            del self._running[task.lane]


class FairPool:
    """The threads. The one that was at work last is woken first: what it needs is near."""

    def __init__(self, threads: int) -> None:
        """Start the threads; one lane runs on at most three quarters of them."""
        self._lock = threading.Lock()
        self._calls = Turns(max(1, threads - threads // 4))
        self._idle: list[threading.Lock] = []  # what idle threads wait for, the last one at the end
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"rpc-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, lane: str, work: Callable[[], object], *, urgent: bool = False) -> None:
        """Let a call wait for its turn; an urgent one goes before all others."""
        with self._lock:
            self._calls.add(_Task(lane, work, urgent))
            if self._idle:
                self._idle.pop().release()

    def close(self) -> None:
        """End the threads once everything that waits has run."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().release()

    def _run(self) -> None:
        woken = threading.Lock()
        woken.acquire()
        while True:
            with self._lock:
                task = self._calls.take()
                if task is None:
                    if self._closed:  # what still waits has a thread of its own lane
                        return
                    self._idle.append(woken)
            if task is None:
                woken.acquire()
            else:
                self._do(task)

    def _do(self, task: _Task) -> None:
        try:
            task.work()
        except BaseException:  # noqa: BLE001 - no call may cost a thread
            _log.exception("a call was lost")
        with self._lock:
            self._calls.end(task)
