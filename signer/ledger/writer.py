"""Writing: transactions of whoever waits, the outcomes in between, and stopping for good."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from signer.approval import Mint
from signer.errors import LedgerUnavailableError
from signer.ledger.compiling import UncompiledError
from signer.ledger.flusher import Flusher
from signer.ledger.group import Group, Job
from signer.ledger.memory import Memory
from signer.ledger.settling import settle
from signer.ledger.store import StoreError
from signer.ledger.transaction import Transaction
from signer.model import Outcome

T = TypeVar("T")
MAX_OUTCOMES = 1024  # in one transaction
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """See ``signer.ledger.Settings``."""

    lease_ms: int
    retention_ms: int
    batch: int


class Observer(Protocol):
    """What the ledger tells whoever counts; called by whoever commits."""

    def committed(self, seconds: float, requests: int) -> None:
        """Take how long a transaction took, and how many requests it decided."""

    def not_committed(self) -> None:
        """Take that a transaction failed."""


class Silent:
    """Counts nothing."""

    def committed(self, seconds: float, requests: int) -> None:
        """Drop it."""

    def not_committed(self) -> None:
        """Drop it."""


class Writer:
    """Commits jobs and outcomes together, and issues approvals for what is durable."""

    def __init__(
        self,
        memory: Memory,
        mint: Mint,
        settings: WriterSettings,
        clock: Callable[[], int],
        committed: Callable[[int], None],
        observer: Observer,
    ) -> None:
        self._memory = memory
        self._mint = mint
        self._settings = settings
        self._clock = clock
        self._committed = committed
        self._observer = observer
        self.stopped: str | None = None  # why, once nothing more is written
        self._outcomes: deque[Outcome] = deque()
        self._group = Group(self._commit, settings.batch)
        self._flusher = Flusher(self.flush)

    def submit(self, work: Callable[[Transaction], T], size: int = 1) -> T:
        """Run work within a transaction and return its result once that is durable.

        Raises:
            LedgerUnavailableError: nothing was done.
        """
        return self._group.submit(Job(work, size))

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Queue outcomes for the next transaction, which comes within about 50 ms."""
        self._outcomes.extend(outcomes)
        self._flusher.due()

    def close(self) -> None:
        """Commit what is queued and close the store."""
        self._flusher.close()
        with suppress(LedgerUnavailableError):  # it has stopped already
            self.submit(self._stop, 0)
        self._memory.store.close()

    def _stop(self, _: Transaction) -> None:
        self.stopped = "it is closed"

    def flush(self) -> bool:
        """Commit the queued outcomes; False if that is to be tried again."""
        if self._outcomes and self.stopped is None:
            try:
                self.submit(_nothing, 0)
            except Exception:  # noqa: BLE001 - the thread must outlive whatever it is
                _log.exception("outcomes could not be recorded yet", queued=len(self._outcomes))
        return not self._outcomes or self.stopped is not None

    def settled(self) -> None:
        """Return once what was queued is durable, also what another thread has taken by now.

        Where the ledger fails it stays queued.
        """
        if self.flush():
            with suppress(LedgerUnavailableError):
                self.submit(_nothing, 0)  # after the transaction that is under way

    def _commit(self, jobs: Sequence[Job[object]]) -> None:
        if self.stopped is not None:
            return _refuse(jobs, f"the ledger has stopped: {self.stopped}")
        outcomes = self._take()
        try:
            self._transact(jobs, outcomes)
        except BaseException as error:
            self._outcomes.extendleft(reversed(outcomes))
            self._memory.drop()
            self._observer.not_committed()
            if not isinstance(error, Exception):
                raise
            self._failed(jobs, error)

    def _transact(self, jobs: Sequence[Job[object]], outcomes: Sequence[Outcome]) -> None:
        try:
            self._attempt(jobs, outcomes)
        except UncompiledError as error:  # another process activated it: nothing is done yet
            self._memory.drop()
            self._memory.compiler.compile(error.document)
            self._transact(jobs, outcomes)

    def _attempt(self, jobs: Sequence[Job[object]], outcomes: Sequence[Outcome]) -> None:
        began = time.monotonic()
        with self._memory.store.transaction():
            tx = Transaction(self._memory, self._clock(), self._settings.lease_ms)
            settle(tx, outcomes)
            for job in jobs:
                job.run(tx)
            if tx.bound:  # forget twice as many as came, so that a backlog shrinks
                self._memory.store.prune(tx.now_ms - self._settings.retention_ms, 2 * tx.bound)
            state = tx.save()
            for work in tx.last:
                work()
        self._memory.committed(state)
        for approval in tx.approvals:
            self._mint.issue(approval)
        for job in jobs:
            job.finish()
        self._committed(state.tree_size)
        self._observer.committed(time.monotonic() - began, sum(job.size for job in jobs))

    def _failed(self, jobs: Sequence[Job[object]], error: Exception) -> None:
        if isinstance(error, StoreError):
            _log.error("a transaction failed", error=str(error), fatal=error.fatal)
            if error.fatal:
                self.stopped = str(error)
                self._mint.revoke_all()
            _refuse(jobs, f"the ledger could not commit: {error}")
        elif len(jobs) == 1:
            jobs[0].finish(error)
        else:  # one of them cannot be decided: the others must not suffer
            for job in jobs:
                self._commit([job])

    def _take(self) -> list[Outcome]:
        count = min(len(self._outcomes), MAX_OUTCOMES)
        return [self._outcomes.popleft() for _ in range(count)]


def _refuse(jobs: Sequence[Job[object]], why: str) -> None:
    for job in jobs:
        job.finish(LedgerUnavailableError(why))


def _nothing(_: Transaction) -> None:
    """Let the outcomes have a transaction of their own."""
