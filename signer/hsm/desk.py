"""Where callers leave jobs and sessions' threads take them. Thread-safe.

The threads of every slot take from one line, so a fast slot takes more than a slow
one, and one that is down takes nothing: no other balancing is needed.
"""

import threading
import time
from queue import Empty, SimpleQueue
from typing import Final

from signer.errors import HsmError, HsmOverloadedError, HsmUnavailableError
from signer.hsm.job import Job
from signer.hsm.line import Line, Priority

# After so many seconds without any answer a token is away and not overloaded.
SILENT_SECONDS: Final = 1.0
LEAST_HINT_SECONDS: Final = 0.05  # until it is worth trying again: a burst must spread
# How long a slot leaves what it failed to others before it looks again.
STEP_ASIDE_SECONDS: Final = 0.001
_OLD_SHARE: Final = 0.9  # of the moving average, for each operation


class Desk:
    """A bounded line that refuses at once what it could not serve in time.

    Args:
        depth: how many jobs of each class may wait.
    """

    def __init__(self, depth: int) -> None:
        self._line: Line[Job] = Line(depth)
        self._errands: dict[str, Job] = {}
        self._lock = threading.Lock()
        # A permit for each job: threads sleep in C and wake one by one. There may be
        # permits too many, never too few.
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._sessions = 0
        self._submitted = self._crowded = 0
        self._service_seconds = 0.0
        self._last_served = 0.0
        self._shut: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether jobs are taken."""
        return self._shut is None

    @property
    def is_busy(self) -> bool:
        """Whether any job waits in the line."""
        return len(self._line) > 0

    def submit(self, job: Job) -> None:
        """Leave a job.

        Raises:
            HsmUnavailableError: no slot is up or answers, or the pool is closed.
            HsmOverloadedError: the line is full, or too long for the job's deadline.
        """
        priority = job.priority
        with self._lock:
            if self._shut is not None:
                raise HsmUnavailableError(self._shut)
            # With nobody ahead it is always tried, or one slow answer would shut out all.
            ahead = self._line.ahead(priority)
            self._submitted += 1
            self._crowded += ahead > 0
            seconds = self._service_seconds * (1 + ahead / max(1, self._sessions))
            if ahead and job.queued + seconds > job.deadline:
                reason = f"{ahead} requests would go first, too many to wait for"
                raise self._refusal(job, reason, seconds)
            if not self._line.add(job, priority):
                raise self._refusal(job, f"{ahead} requests wait already", seconds)
        self._permits.put(None)

    def send(self, job: Job, slot: str) -> None:
        """Leave a job for one slot: it goes before all others, once a session is free there.

        One at a time for each slot.

        Raises:
            HsmUnavailableError: no slot is up, or the pool is closed.
        """
        with self._lock:
            if self._shut is not None:
                raise HsmUnavailableError(self._shut)
            self._errands[slot] = job
        self.nudge(self._sessions)  # one of the slot's threads is among those who wake

    def take(self, seconds: float, slot: str = "") -> Job | None:
        """Take the next job, or None after some time, or when there was just a nudge.

        A job whose time is over is dropped: its caller knows the time as well.
        """
        if slot not in self._errands:
            try:
                self._permits.get(timeout=seconds)
            except Empty:
                return None
        with self._lock:
            now = time.monotonic()
            while (job := self._errands.pop(slot, None) or self._line.take()) is not None:
                if slot and job.avoided == slot and now < job.avoided_until:
                    self._line.put_back(job)
                    self._permits.put(None)
                    break
                if job.deadline > now:
                    job.dispatched = True
                    return job
        if job is not None:
            time.sleep(STEP_ASIDE_SECONDS)
        return None

    def put_back(self, job: Job) -> None:
        """Put a job before all others, for its next try or because it was not begun."""
        with self._lock:
            if self._shut is None:
                job.put_back()
                self._line.put_back(job)
                self._permits.put(None)
                return
            job.fail(HsmUnavailableError(self._shut))

    def withdraw(self, job: Job) -> None:
        """Take a job out of the line, if it waits there."""
        with self._lock:
            self._line.remove(job)
            self._errands = {slot: each for slot, each in self._errands.items() if each is not job}

    def waiting(self) -> dict[str, int]:
        """Return how many jobs of each class wait."""
        return {priority.name.lower(): self._line.count(priority) for priority in Priority}

    def crowded(self) -> float:
        """Return the share of jobs since the last time that found others waiting."""
        with self._lock:
            submitted, crowded = self._submitted, self._crowded
            self._submitted = self._crowded = 0
        return crowded / submitted if submitted else 0.0

    def deepen(self, depth: int) -> None:
        """Let so many jobs of each class wait from now on."""
        self._line.depth = depth

    def count(self, sessions: int) -> None:
        """Note that so many sessions more, or fewer, are ready."""
        with self._lock:
            self._sessions += sessions

    def served(self, seconds: float, now: float) -> None:
        """Note how long a job took that ended now."""
        self._last_served = now
        old = self._service_seconds or seconds
        self._service_seconds = _OLD_SHARE * old + (1 - _OLD_SHARE) * seconds

    def _refusal(self, job: Job, reason: str, seconds: float) -> HsmError:
        oldest = self._line.oldest()
        since = max(self._last_served, oldest.queued if oldest else job.queued)
        if job.queued - since > SILENT_SECONDS:
            return HsmUnavailableError("no session has answered for some time")
        return HsmOverloadedError(reason, max(LEAST_HINT_SECONDS, seconds))

    def shut(self, reason: str, nudges: int = 0) -> None:
        """Refuse everything from now on, also what waits; wake some threads."""
        with self._lock:
            self._shut = reason
            waiting = [*self._line.empty(), *self._errands.values()]
            self._errands = {}
        for job in waiting:
            job.fail(HsmUnavailableError(reason))
        self.nudge(nudges)

    def nudge(self, threads: int) -> None:
        """Wake some threads, so that they look about them."""
        for _ in range(threads):
            self._permits.put(None)

    def reopen(self) -> None:
        """Take jobs again."""
        with self._lock:
            self._shut = None
