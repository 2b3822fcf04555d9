"""Signatures that are wanted, on their way from a caller to a session and back."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from signer.errors import HsmError, HsmUnavailableError, OutcomeUnknownError
from signer.hsm.errors import RETRIED, TokenError
from signer.hsm.line import Priority
from signer.hsm.mechanisms import Scheme
from signer.hsm.names import KeyVersion
from signer.hsm.verify import Verifier

if TYPE_CHECKING:
    from signer.hsm.session import BoundSession
    from signer.hsm.slot import Slot

TRIES: Final = 2

# How long a session may be kept from others by one job: a hand-over between threads
# costs about as much as a fast signature, and next to nothing beside this.
JOB_SECONDS: Final = 0.002
MAX_ITEMS: Final = 64


class Pace:
    """How long one signature takes: the recent least.

    A thread that had to wait for the interpreter after the call makes a token look slow.
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = float("inf")

    @property
    def is_quick(self) -> bool:
        """Whether a job has room for several."""
        return self.seconds <= JOB_SECONDS / 2

    def note(self, seconds: float) -> None:
        """Take the time of one more."""
        self.seconds = min(seconds, self.seconds * 1.02)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How to sign with one key version by one algorithm, and how fast that is."""

    name: KeyVersion
    scheme: Scheme
    verify: Verifier
    priority: Priority
    pace: Pace = field(default_factory=Pace)


class Item:
    """One signature that is wanted by a deadline, in seconds of ``time.monotonic``.

    ``data`` is the token's input. Once it has ended there is a ``signature``, which
    is the token's answer as it is, or an ``error``.
    """

    __slots__ = ("began", "data", "deadline", "ended", "error", "job", "signature", "way")

    def __init__(self, way: Way, data: bytes, deadline: float) -> None:
        self.way = way
        self.data = data
        self.deadline = deadline
        self.began = 0.0  # of the last try; 0 before the first
        self.ended = 0.0
        self.job: Job | None = None
        self.signature: bytes | None = None
        self.error: HsmError | None = None

    def result(self) -> bytes:
        """Return the token's answer once it ended.

        Raises:
            HsmError: there is none.
        """
        if self.signature is None:
            raise self.error or OutcomeUnknownError("no answer")
        return self.signature

    def fail(self, error: HsmError) -> None:
        """Note an error; after a try that may have signed nothing is certain."""
        if self.error is None or self.error.certain:
            self.error = error


class Job:
    """Items that one session signs one after the other: a hand-over costs as much as a signature.

    All are of one class. A session's thread fills them in and then opens ``_done``; the
    caller waits there. After ``stop`` nothing more is begun.
    """

    __slots__ = (
        "_done",
        "_place",
        "_stopped",
        "_turn",
        "_working",
        "avoided",
        "avoided_until",
        "deadline",
        "dispatched",
        "failures",
        "items",
        "priority",
        "queued",
        "session",
        "slot",
        "tries",
    )

    def __init__(self, items: list[Item], now: float) -> None:
        self.items = items
        self.priority = items[0].way.priority
        self.deadline = max(item.deadline for item in items)
        self.queued = now
        self.tries = TRIES
        self.failures = 0  # of the item that is next
        self.avoided = ""  # the slot that failed it, while another one may take it
        self.avoided_until = 0.0
        self.dispatched = False  # out of the line: a session has it
        self.slot: Slot | None = None
        self.session: BoundSession | None = None
        self._place = 0
        self._working = False
        self._stopped = False
        self._turn = threading.Lock()
        # A plain lock is the cheapest thing to wait for: one futex, no condition.
        self._done = threading.Lock()
        self._done.acquire()
        for item in items:
            item.job = self

    @property
    def began(self) -> float:
        """When the item that is next or at work was begun; 0 while it was not."""
        return self.items[self._place].began if self._place < len(self.items) else 0.0

    def begin(self, session: "BoundSession", slot: "Slot", now: float) -> Item | None:
        """Note that a session works on the next item that is still in time; None at the end."""
        with self._turn:
            while self._place < len(self.items) and not self._stopped:
                item = self.items[self._place]
                if item.deadline > now:
                    self.session, self.slot = session, slot
                    item.began = now
                    self._working = True
                    return item
                item.fail(HsmUnavailableError("no session was free in time"))
                self._place += 1
        return None

    def answer(self, signature: bytes, now: float) -> float:
        """Take the token's answer to the item that was begun; returns the seconds it took."""
        item = self.items[self._place]
        item.ended = now
        item.signature = signature
        seconds = now - item.began
        item.way.pace.note(seconds)
        self._next()
        return seconds

    def refuse(self, error: HsmError) -> None:
        """End the item that was begun with an error, for good."""
        item = self.items[self._place]
        item.fail(error)
        item.ended = time.monotonic()
        self._next()

    def _next(self) -> None:
        self.failures = 0
        with self._turn:
            self._place += 1
            self._working = False

    def try_again(self, error: TokenError) -> bool:
        """Note a failed try; True when there may be another one."""
        self.failures += 1
        self.items[self._place].fail(error.for_caller())
        self._working = False
        return error.action in RETRIED and self.failures < self.tries

    def put_back(self) -> None:
        """Note that it waits again, for what is left of it."""
        self.dispatched = False
        self._working = False
        if self._place < len(self.items):
            self.items[self._place].began = 0.0

    def fail(self, error: HsmError) -> None:
        """End all that is left with an error."""
        self.stop()
        self._fail_rest(error)
        self.finish()

    def finish(self) -> None:
        """Let the caller go on."""
        self._done.release()

    @property
    def is_finished(self) -> bool:
        """Whether every item has ended."""
        return self._place >= len(self.items)

    def wait(self, seconds: float) -> bool:
        """Wait for the end, or for some time; True when it ended."""
        return self._done.acquire(timeout=max(0.0, seconds))

    def stop(self) -> Item | None:
        """Begin nothing more; returns the item that is at work, if any."""
        with self._turn:
            self._stopped = True
            return self.items[self._place] if self._working else None

    def abandon(self) -> None:
        """End all that is left for a caller who waits no longer: what is at work is unknown."""
        at_work = self.stop()
        if at_work is not None:
            at_work.fail(OutcomeUnknownError("the token did not answer in time"))
        self._fail_rest(HsmUnavailableError("no session was free in time"))

    def _fail_rest(self, error: HsmError) -> None:
        for item in self.items:
            if item.signature is None:
                item.fail(error)

    def condemn(self) -> None:
        """Never use its session again: an answer does not verify."""
        if self.session is not None and self.slot is not None:
            self.slot.condemn(self.session)


def jobs(items: Sequence[Item], now: float) -> Iterator[Job]:
    """Put items together, as many as a session does in ``JOB_SECONDS``."""
    if len(items) == 1:
        yield Job([items[0]], now)
        return
    classes: dict[Priority, list[Item]] = {}
    for item in items:
        classes.setdefault(item.way.priority, []).append(item)
    for members in classes.values():
        part: list[Item] = []
        seconds = 0.0
        for item in members:
            part.append(item)
            seconds += item.way.pace.seconds
            if seconds >= JOB_SECONDS or len(part) == MAX_ITEMS:
                yield Job(part, now)
                part, seconds = [], 0.0
        if part:
            yield Job(part, now)
