"""The hand-over in plain Python: the compiled one's twin, for where that is not there."""

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, cast

from signer.errors import HsmUnavailableError
from signer.hsm.desk import Desk, refusal, too_long, too_many
from signer.hsm.job import TRIES, TURN_SECONDS, Item, Job
from signer.hsm.line import Line, Priority
from signer.hsm.seat import Fault, Seat

if TYPE_CHECKING:
    from signer.hsm.session import BoundSession
    from signer.hsm.slot import Slot

# How long a slot leaves what it failed to others before it looks again.
STEP_ASIDE_SECONDS: Final = 0.001
_OLD_SHARE: Final = 0.9  # of the moving average, for each operation


class PlainSeat:
    """See ``Seat``."""

    __slots__ = ("_gate", "_halted", "busy_since", "session", "slot", "stuck_seconds", "used")

    def __init__(self, session: "BoundSession", slot: "Slot", stuck_seconds: float) -> None:
        self.session = session
        self.slot = slot
        self.stuck_seconds = stuck_seconds
        self.busy_since = self.used = 0.0
        self._gate = slot.gate
        self._halted = False

    @property
    def is_usable(self) -> bool:
        """Whether the session may take a job."""
        return not self._halted and self._gate[0] == self.session.generation

    def halt(self) -> None:
        """Never begin anything again."""
        self._halted = True


class PlainJob(Job):
    """See ``Job``: a session's thread fills the items in and then opens ``_done``."""

    __slots__ = (
        "_done",
        "_failures",
        "_place",
        "_stopped",
        "_turn",
        "_working",
        "avoided",
        "avoided_until",
        "deadline",
        "items",
        "priority",
        "queued",
        "tries",
    )

    def __init__(self, items: list[Item], now: float, tries: int) -> None:
        self.items = items
        self.priority = items[0].way.priority
        self.deadline = max(item.deadline for item in items)
        self.queued = now
        self.tries = tries
        self._failures = 0
        self.avoided = ""
        self.avoided_until = 0.0
        self._place = 0
        self._working = False
        self._stopped = False
        self._turn = threading.Lock()
        # A plain lock is the cheapest thing to wait for: one futex, no condition.
        self._done = threading.Lock()
        self._done.acquire()

    @property
    def place(self) -> int:
        """Which item is next or at work."""
        return self._place

    @property
    def began(self) -> float:
        """When the item that is next or at work was begun; 0 while it was not."""
        return 0.0 if self.is_finished else self.items[self._place].began

    def begin(self, now: float) -> Item | None:
        """Note that a session works on the next item that is still in time; None at the end."""
        with self._turn:
            while self._place < len(self.items) and not self._stopped:
                item = self.items[self._place]
                if item.deadline > now:
                    item.began = now
                    self._working = True
                    return item
                item.fail(HsmUnavailableError("no session was free in time"))
                self._place += 1
        return None

    def answer(self, seat: Seat, signature: bytes, now: float) -> None:
        """Take the token's answer to the item that was begun."""
        item = self.items[self._place]
        item.ended = now
        item.signature = signature
        item.seat = seat
        self.end_item()

    def end_item(self) -> None:
        """Note that the item that was begun has ended."""
        self._failures = 0
        with self._turn:
            self._place += 1
            self._working = False

    def pause_item(self) -> None:
        """Note that nobody works on the item that was begun."""
        self._working = False
        if not self.is_finished:
            self.items[self._place].began = 0.0

    def avoid(self, slot: str, until: float) -> None:
        """Leave it to others than the slot that failed it, for some time."""
        self.avoided = slot
        self.avoided_until = until

    def count_failure(self) -> int:
        """Note that a try of the item that is next has failed; returns how many have."""
        self._failures += 1
        return self._failures

    def finish(self) -> None:
        """Let the caller go on."""
        self._done.release()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, or for some time; True when it ended."""
        return self._done.acquire(timeout=max(0.0, seconds))

    def stop(self) -> Item | None:
        """Begin nothing more; returns the item that is at work, if any."""
        with self._turn:
            self._stopped = True
            return self.items[self._place] if self._working else None

    def leave(self) -> None:
        """Say that nobody waits any more, which is nothing to this hand-over."""


class PlainDesk(Desk):
    """See ``Desk``."""

    def __init__(self, depth: int) -> None:
        self._line: Line[PlainJob] = Line(depth)
        self._errands: dict[str, PlainJob] = {}
        self._lock = threading.Lock()
        # A permit for each job: threads sleep in C and wake one by one. There may be
        # permits too many, never too few.
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._sessions = 0
        self._submitted = self._crowded = 0
        self._service_seconds = 0.0
        self._last_served = 0.0
        self._shut: str | None = None

    def job(self, items: list[Item], now: float, tries: int = TRIES) -> Job:
        """Make a job."""
        return PlainJob(items, now, tries)

    def seat(self, session: "BoundSession", slot: "Slot", stuck_seconds: float) -> Seat:
        """Make a place for a session."""
        return PlainSeat(session, slot, stuck_seconds)

    def leave(self, seat: Seat) -> None:
        """Do nothing: only jobs and threads know of seats here."""

    def serve(self, seat: Seat, seconds: float) -> Fault | None:
        """Do jobs in the thread that owns the session, as they come."""
        own = cast("PlainSeat", seat)
        until = time.monotonic() + seconds
        while seat.is_usable and (left := until - time.monotonic()) > 0:
            job = self._next(left, seat.slot.name)
            if job is not None:
                if not seat.is_usable:
                    self.put_back(job)
                    break
                fault = self._work(own, job)
                if fault is not None:
                    return fault
                until = seat.used + seconds
        return None

    def _work(self, seat: PlainSeat, job: PlainJob) -> Fault | None:
        began = seat.busy_since = time.monotonic()
        try:
            while (item := job.begin(seat.busy_since)) is not None:
                way = item.way
                signature = seat.session.sign(way.name, way.scheme.prepared, item.data)
                now = time.monotonic()
                late = now - seat.busy_since >= seat.stuck_seconds
                seat.busy_since = seat.used = now
                job.answer(seat, signature, now)
                if late:
                    seat.halt()
                if late or not (job.is_finished or seat.is_usable):
                    self.resume(job)
                    return None
                if now - began >= TURN_SECONDS and self._gives_way(job):
                    self.served(now - began, now)
                    return None
        except BaseException as error:  # noqa: BLE001 - a bug must not cost the pool a thread
            return Fault(job, error)
        finally:
            ended, seat.busy_since = seat.busy_since, 0.0
        self.served(ended - began, ended)
        job.finish()
        return None

    def _gives_way(self, job: PlainJob) -> bool:
        """Leave what is left of a job to be done after those that wait, if there are any."""
        with self._lock:
            if job.is_finished or not (self._errands or len(self._line)):
                return False
            self._line.put_last(job, job.priority)
        self._permits.put(None)
        return True

    @property
    def is_open(self) -> bool:
        """Whether jobs are taken."""
        return self._shut is None

    @property
    def is_busy(self) -> bool:
        """Whether any job waits in the line."""
        return len(self._line) > 0

    def submit(self, job: Job) -> None:
        """Leave a job."""
        own, priority = cast("PlainJob", job), job.priority
        with self._lock:
            if self._shut is not None:
                raise HsmUnavailableError(self._shut)
            # With nobody ahead it is always tried, or one slow answer would shut out all.
            ahead = self._line.ahead(priority)
            self._submitted += 1
            self._crowded += ahead > 0
            seconds = self._service_seconds * (1 + ahead / max(1, self._sessions))
            if ahead and job.queued + seconds > job.deadline:
                raise refusal(too_many(ahead), seconds, job.queued, self._heard(job))
            if not self._line.add(own, priority):
                raise refusal(too_long(ahead), seconds, job.queued, self._heard(job))
        self._permits.put(None)

    def send(self, job: Job, slot: str) -> None:
        """Leave a job for one slot; one at a time for each."""
        with self._lock:
            if self._shut is not None:
                raise HsmUnavailableError(self._shut)
            self._errands[slot] = cast("PlainJob", job)
        self.nudge()  # one of the slot's threads is among those who wake

    def take(self, seconds: float, slot: str = "") -> Job | None:
        """Take the next job, or None after some time, or when there was just a nudge."""
        return self._next(seconds, slot)

    def _next(self, seconds: float, slot: str) -> PlainJob | None:
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
                    return job
        if job is not None:
            time.sleep(STEP_ASIDE_SECONDS)
        return None

    def put_back(self, job: Job) -> None:
        """Put a job before all others."""
        with self._lock:
            if self._shut is None:
                job.pause_item()
                self._line.put_back(cast("PlainJob", job))
                self._permits.put(None)
                return
            job.fail(HsmUnavailableError(self._shut))

    def withdraw(self, job: Job) -> None:
        """Take a job out of the line, if it waits there."""
        with self._lock:
            self._line.remove(cast("PlainJob", job))
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

    def _heard(self, job: Job) -> float:
        oldest = self._line.oldest()
        return max(self._last_served, oldest.queued if oldest else job.queued)

    def shut(self, reason: str) -> None:
        """Refuse everything from now on, also what waits."""
        with self._lock:
            self._shut = reason
            waiting = [*self._line.empty(), *self._errands.values()]
            self._errands = {}
        for job in waiting:
            job.fail(HsmUnavailableError(reason))
        self.nudge()

    def nudge(self) -> None:
        """Wake as many threads as there are sessions, or some more."""
        for _ in range(self._sessions + 1):
            self._permits.put(None)

    def reopen(self) -> None:
        """Take jobs again."""
        with self._lock:
            self._shut = None
