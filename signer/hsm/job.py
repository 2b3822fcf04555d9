"""One signature that is wanted, on its way from a caller to a session and back."""

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from signer.errors import HsmError, HsmUnavailableError, OutcomeUnknownError
from signer.hsm.errors import RETRIED, TokenError
from signer.hsm.line import Priority
from signer.hsm.mechanisms import Scheme
from signer.hsm.names import KeyVersion
from signer.hsm.verify import Verifier

if TYPE_CHECKING:
    from signer.hsm.session import BoundSession
    from signer.hsm.slot import Slot

TRIES = 2


@dataclass(frozen=True, slots=True)
class Way:
    """How to sign with one key version by one algorithm."""

    name: KeyVersion
    scheme: Scheme
    verify: Verifier
    priority: Priority


class Job:
    """A signature that is wanted by a deadline, in seconds of ``time.monotonic``.

    A session's thread fills it in and then opens ``_done``; its caller waits there.
    """

    __slots__ = (
        "_done",
        "began",
        "data",
        "deadline",
        "dispatched",
        "ended",
        "error",
        "failures",
        "queued",
        "session",
        "signature",
        "slot",
        "way",
    )

    def __init__(self, way: Way, data: bytes, deadline: float, now: float) -> None:
        self.way = way
        self.data = data
        self.deadline = deadline
        self.queued = now
        self.began = 0.0  # of the last try; 0 before the first
        self.ended = 0.0
        self.failures = 0
        self.dispatched = False  # out of the line: a session has it
        self.slot: Slot | None = None
        self.session: BoundSession | None = None
        self.signature: bytes | None = None
        self.error: HsmError | None = None
        # A plain lock is the cheapest thing to wait for: one futex, no condition.
        self._done = threading.Lock()
        self._done.acquire()

    def begin(self, session: "BoundSession", slot: "Slot") -> None:
        """Note that a session works on it."""
        self.session = session
        self.slot = slot
        self.began = time.monotonic()

    def succeed(self, signature: bytes) -> None:
        """Hand the token's answer to the caller."""
        self.signature = signature
        self.ended = time.monotonic()
        self._done.release()

    def fail(self, error: HsmError) -> None:
        """Hand an error to the caller; after a try that may have signed nothing is certain."""
        if self.error is None or self.error.certain:
            self.error = error
        self.ended = time.monotonic()
        self._done.release()

    def try_again(self, error: TokenError) -> bool:
        """Note a failed try; True when there may be another one."""
        self.failures += 1
        outcome = error.for_caller()
        if self.error is None or self.error.certain:
            self.error = outcome
        return error.action in RETRIED and self.failures < TRIES

    def wait(self, seconds: float) -> bool:
        """Wait for the end, or for some time; True when it ended."""
        return self._done.acquire(timeout=max(0.0, seconds))

    def result(self) -> bytes:
        """Return the token's answer once it ended.

        Raises:
            HsmError: there is none.
        """
        if self.signature is None:
            raise self.error or OutcomeUnknownError("no answer")
        return self.signature

    def condemn(self) -> None:
        """Never use its session again: the answer does not verify."""
        if self.session is not None and self.slot is not None:
            self.slot.condemn(self.session)

    def abandoned(self, *, dispatched: bool) -> HsmError:
        """Return what its caller is told when it waits no longer."""
        if dispatched:
            return OutcomeUnknownError("the token did not answer in time")
        if self.error is not None and not self.error.certain:
            return self.error
        return HsmUnavailableError("no session was free in time")
