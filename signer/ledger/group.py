"""Group commit: the jobs of all who wait go into one transaction."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from signer.errors import LedgerUnavailableError
from signer.gathering import Gathering, Turn
from signer.ledger.transaction import Transaction

T = TypeVar("T")


class Job(Turn[T]):
    """Work for a transaction, and what came of it once it is durable."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[Transaction], T], size: int = 1) -> None:
        super().__init__(size)
        self.work = work

    def run(self, tx: Transaction) -> None:
        """Do the work; the result counts only after ``done``."""
        self.keep(self.work(tx))


class Group:
    """Collects jobs and has them committed together, at most ``bound`` requests at once."""

    def __init__(self, commit: Callable[[Sequence[Job[object]]], None], bound: int) -> None:
        self._gathering = Gathering(commit, bound, _lost)

    def submit(self, job: Job[T]) -> T:
        """Return the job's result once it is durable, or raise its error."""
        self._gathering.submit(job)  # type: ignore[arg-type] # jobs of any result
        return job.result()


def _lost() -> LedgerUnavailableError:
    return LedgerUnavailableError("the ledger did not commit")
