"""A session's place at the desk, as all see it who have to do with one."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

from signer.hsm.job import Job

if TYPE_CHECKING:
    from signer.hsm.session import BoundSession
    from signer.hsm.slot import Slot


class Seat(Protocol):
    """Where the thread that owns a session takes jobs; times are of ``time.monotonic``.

    A seat is usable while its slot's gate has the session's generation, and until
    somebody halts it: any thread may, for good.
    """

    @property
    def session(self) -> "BoundSession":
        """The session."""

    @property
    def slot(self) -> "Slot":
        """Its slot."""

    @property
    def is_usable(self) -> bool:
        """Whether the session may take a job."""

    @property
    def busy_since(self) -> float:
        """When the call began that is under way; 0 while there is none."""

    @property
    def used(self) -> float:
        """When the last call ended; 0 before the first."""

    def halt(self) -> None:
        """Never begin anything again."""


class Fault(NamedTuple):
    """A job whose item at work failed: by the token's code, or by a bug's exception."""

    job: Job
    error: BaseException
