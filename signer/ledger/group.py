"""Group commit without a thread of its own.

Whoever has work adds it to the pending list and takes the commit lock. The one
who gets it commits for everybody who is waiting; the others find their work done
when the lock comes to them.
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

    __slots__ = ("_result", "done", "error", "size", "work")

    def __init__(self, work: Callable[[Transaction], T], size: int = 1) -> None:
        self.work = work
        self.size = size
        self.done = False
        self.error: Exception | None = None
        self._result: T | None = None

    def run(self, tx: Transaction) -> None:
        """Do the work; the result counts only after ``done``."""
        self._result = self.work(tx)

    def finish(self, error: Exception | None = None) -> None:
        """Release whoever waits, with the result or with an error."""
        if not self.done:
            self.error = error
            self.done = True

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
        self.lock = threading.Lock()
        self._pending: deque[Job[object]] = deque()

    def submit(self, job: Job[T]) -> T:
        """Return the job's result once it is durable, or raise its error."""
        self._pending.append(job)  # type: ignore[arg-type] # a list of jobs of any result
        with self.lock:
            while not job.done:
                self._lead()
        return job.result()

    def _lead(self) -> None:
        jobs = self._take()
        try:
            self._commit(jobs)
        finally:  # whatever happens here, nobody waits for ever and nobody is let through
            for job in jobs:
                job.finish(LedgerUnavailableError("the ledger did not commit"))

    def _take(self) -> list[Job[object]]:
        jobs = [self._pending.popleft()]
        size = jobs[0].size
        while self._pending and size + self._pending[0].size <= self._bound:
            jobs.append(self._pending.popleft())
            size += jobs[-1].size
        return jobs
