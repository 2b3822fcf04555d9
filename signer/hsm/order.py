"""What one caller wants signed, on its way through the pool: begun, then waited for."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from signer.errors import HsmError
from signer.hsm.desk import Desk
from signer.hsm.job import Item, Job, verify
from signer.hsm.wanted import Wanted


class Order:
    """Several approvals' signatures, with no more jobs at once than there are sessions.

    Args:
        wanted: what each approval wants, or why it gets nothing.
        arrange: puts items together to jobs.
        desk: where jobs wait.
        submit: leaves one there, or raises an ``HsmError``.
        sessions: how many there are.
        stuck_seconds: how long a call to a token may take.
        report: is told of all items once they have ended and were verified.
    """

    __slots__ = (
        "_desk",
        "_items",
        "_jobs",
        "_next",
        "_report",
        "_sessions",
        "_stuck_seconds",
        "_submit",
        "_under_way",
        "_wanted",
    )

    def __init__(
        self,
        wanted: Sequence[Wanted | Exception],
        arrange: Callable[[Sequence[Item]], Iterator[Job]],
        desk: Desk,
        submit: Callable[[Job], None],
        sessions: int,
        stuck_seconds: float,
        report: Callable[[Sequence[Item]], None],
    ) -> None:
        self._wanted = wanted
        self._items = [item for each in wanted if isinstance(each, Wanted) for item in each.items]
        self._jobs = arrange(self._items)
        self._next = next(self._jobs, None)
        self._desk = desk
        self._submit = submit
        self._sessions = sessions
        self._stuck_seconds = stuck_seconds
        self._report = report
        self._under_way: deque[Job] = deque()

    def begin(self) -> None:
        """Leave at the desk what it takes now; nothing is waited for."""
        while self._next is not None and self._taken(self._next):
            self._next = next(self._jobs, None)

    def results(self) -> list[bytes | Exception]:
        """Wait for everything; returns for each approval its signature or why there is none."""
        self.begin()
        while self._next is not None:
            self._await(self._under_way.popleft())
            self.begin()
        for job in self._under_way:
            self._await(job)
        verify(self._items)
        self._report(self._items)
        return [each.result() if isinstance(each, Wanted) else each for each in self._wanted]

    def drop(self) -> None:
        """Begin nothing more, and wait for nothing: nobody may have what comes of it."""
        self._next = None
        while self._under_way:
            self._abandon(self._under_way.popleft())

    def _taken(self, job: Job) -> bool:
        """Leave a job at the desk; False when those under way must end before.

        More than one only where no other job waits: a batch is no reason to refuse others.
        """
        if self._under_way and (len(self._under_way) >= self._sessions or self._desk.is_busy):
            return False
        try:
            self._submit(job)
        except HsmError as error:
            if not self._under_way:
                job.fail(error)
            return not self._under_way
        self._under_way.append(job)
        return True

    def _await(self, job: Job) -> None:
        """Wait for a job's end, but not past its deadline nor for a stuck call."""
        while not job.wait(self._patience(job)):
            if self._patience(job) <= 0:
                self._abandon(job)
                return

    def _abandon(self, job: Job) -> None:
        self._desk.withdraw(job)
        job.abandon()

    def _patience(self, job: Job) -> float:
        now = time.monotonic()
        stuck_at = (job.began or now) + self._stuck_seconds
        return min(job.deadline, stuck_at) - now
