"""Where callers leave jobs and sessions' threads take them: what each hand-over does.

The threads of every slot take from one line, so a fast slot takes more than a slow
one, and one that is down takes nothing: no other balancing is needed.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from signer.errors import HsmError, HsmOverloadedError, HsmUnavailableError
from signer.hsm.job import TRIES, Item, Job
from signer.hsm.seat import Fault, Seat

if TYPE_CHECKING:
    from signer.hsm.session import BoundSession
    from signer.hsm.slot import Slot

# After so many seconds without any answer a token is away and not overloaded.
SILENT_SECONDS: Final = 1.0
LEAST_HINT_SECONDS: Final = 0.05  # until it is worth trying again: a burst must spread


class Desk(ABC):
    """A bounded line that refuses at once what it could not serve in time. Thread-safe.

    ``Desk(depth)`` lets so many jobs of each class wait.
    """

    __slots__ = ()

    @abstractmethod
    def job(self, items: list[Item], now: float, tries: int = TRIES) -> Job:
        """Make a job for this desk."""

    @abstractmethod
    def seat(self, session: "BoundSession", slot: "Slot", stuck_seconds: float) -> Seat:
        """Make a place for a session; a call that takes longer is its last."""

    @abstractmethod
    def leave(self, seat: Seat) -> None:
        """Forget a seat before long: its session has ended."""

    @abstractmethod
    def serve(self, seat: Seat, seconds: float) -> Fault | None:
        """Do jobs in the thread that owns the session, as they come.

        Returns what failed, for the session is not to be used again then; None once
        nothing came for some time, or once the seat is not usable.
        """

    @abstractmethod
    def take(self, seconds: float, slot: str = "") -> Job | None:
        """Take the next job, or None after some time.

        A job whose time is over is dropped: its caller knows the time as well.
        """

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether jobs are taken."""

    @property
    @abstractmethod
    def is_busy(self) -> bool:
        """Whether any job waits in the line."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Leave a job.

        Raises:
            HsmUnavailableError: no slot is up or answers, or the pool is closed.
            HsmOverloadedError: the line is full, or too long for the job's deadline.
        """

    @abstractmethod
    def send(self, job: Job, slot: str) -> None:
        """Leave a job for one slot: it goes before all others, once a session is free there.

        Raises:
            HsmUnavailableError: no slot is up, or the pool is closed.
        """

    @abstractmethod
    def put_back(self, job: Job) -> None:
        """Put a job before all others, for its next try or because it was not begun."""

    @abstractmethod
    def withdraw(self, job: Job) -> None:
        """Take a job out of the line, if it waits there."""

    @abstractmethod
    def waiting(self) -> dict[str, int]:
        """Return how many jobs of each class wait."""

    @abstractmethod
    def crowded(self) -> float:
        """Return the share of jobs since the last time that found others waiting."""

    @abstractmethod
    def deepen(self, depth: int) -> None:
        """Let so many jobs of each class wait from now on."""

    @abstractmethod
    def count(self, sessions: int) -> None:
        """Note that so many sessions more, or fewer, are ready."""

    @abstractmethod
    def served(self, seconds: float, now: float) -> None:
        """Note how long a job took that ended now."""

    @abstractmethod
    def shut(self, reason: str) -> None:
        """Refuse everything from now on, also what waits."""

    @abstractmethod
    def reopen(self) -> None:
        """Take jobs again."""

    @abstractmethod
    def nudge(self) -> None:
        """Wake the threads, so that they look whether their seats are usable."""

    def resume(self, job: Job) -> None:
        """Leave what is left of a job to other sessions."""
        if job.is_finished:
            job.finish()
        else:
            self.put_back(job)


def refusal(reason: str, seconds: float, queued: float, heard: float) -> HsmError:
    """Return why a job is refused: where nothing was heard for long, the token is away.

    Args:
        reason: of an overload.
        seconds: how long it would wait.
        queued: when it came.
        heard: when the last one was served or began to wait.
    """
    if queued - heard > SILENT_SECONDS:
        return HsmUnavailableError("no session has answered for some time")
    return HsmOverloadedError(reason, max(LEAST_HINT_SECONDS, seconds))


def too_many(ahead: int) -> str:
    """Say that a job would be too late."""
    return f"{ahead} requests would go first, too many to wait for"


def too_long(ahead: int) -> str:
    """Say that the line is full."""
    return f"{ahead} requests wait already"
