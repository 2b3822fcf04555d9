"""Group commit without a thread of its own.

Whoever comes while nobody commits becomes the leader and commits for itself.
Whoever comes meanwhile waits, and the first of them commits next, for all who
wait by then. So a job waits for two commits at most, however many there are.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from signer.errors import LedgerUnavailableError
from signer.ledger.transaction import Transaction

T = TypeVar("T")


class Job(Generic[T]):
    """Work for a transaction, and what came of it once ``done``."""

    __slots__ = ("_awake", "_result", "done", "error", "size", "work")

    def __init__(self, work: Callable[[Transaction], T], size: int = 1) -> None:
        self.work = work
        self.size = size
        self.done = False
        self.error: Exception | None = None
        self._result: T | None = None
        self._awake = threading.Lock()
        self._awake.acquire()

    def run(self, tx: Transaction) -> None:
        """Do the work; the result counts only after ``done``."""
        self._result = self.work(tx)

    def finish(self, error: Exception | None = None) -> None:
        """Settle the result, or the error; the first call counts."""
        if not self.done:
            self.error = error
            self.done = True

    def wait(self) -> None:
        """Sleep until somebody calls ``wake``."""
        self._awake.acquire()

    def wake(self) -> None:
        """End the sleep of whoever waits: the job is done, or is to lead."""
        self._awake.release()

    @property
    def awake(self) -> bool:
        """Whether ``wake`` was called and the sleep did not end by it."""
        return not self._awake.locked()

    def result(self) -> T:
        """Return what the work returned, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        return self._result  # type: ignore[return-value] # set by run, which came before done


class Group:
    """Collects jobs and has them committed together, at most ``bound`` requests at once."""

    def __init__(self, commit: Callable[[Sequence[Job[object]]], None], bound: int) -> None:
        self._commit = commit
        self._bound = bound
        self._lock = threading.Lock()
        self._pending: deque[Job[object]] = deque()
        self._led = False

    def submit(self, job: Job[T]) -> T:
        """Return the job's result once it is durable, or raise its error."""
        with self._lock:
            self._pending.append(job)  # type: ignore[arg-type] # jobs of any result
            follows, self._led = self._led, True
        if follows:
            try:
                job.wait()
            except BaseException:  # a signal's handler raised
                self._abandon(job)
                raise
        if not job.done:
            self._lead()
        return job.result()

    def _lead(self) -> None:
        """Commit for all who wait; the leader's own job is the first of them."""
        jobs = self._take()
        try:
            self._commit(jobs)
        finally:  # whatever happened, nobody is let through and nobody waits for ever
            for job in jobs:
                job.finish(LedgerUnavailableError("the ledger did not commit"))
            with self._lock:
                self._hand_over()
            for job in jobs[1:]:
                job.wake()

    def _take(self) -> list[Job[object]]:
        with self._lock:
            jobs = [self._pending.popleft()]
            size = jobs[0].size
            while self._pending and size + self._pending[0].size <= self._bound:
                jobs.append(self._pending.popleft())
                size += jobs[-1].size
        return jobs

    def _hand_over(self) -> None:
        self._led = bool(self._pending)
        if self._pending:
            self._pending[0].wake()

    def _abandon(self, job: Job[T]) -> None:
        """Leave the queue, and pass on the lead if it had just come to the job."""
        with self._lock:
            if job in self._pending:
                self._pending.remove(job)  # type: ignore[arg-type] # jobs of any result
                if job.awake:
                    self._hand_over()
