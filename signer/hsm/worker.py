"""The thread that owns one session: it takes jobs, and replaces its session after any error."""

import random
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from signer.errors import OutcomeUnknownError
from signer.hsm.desk import Desk
from signer.hsm.errors import TokenError
from signer.hsm.health import SESSIONS, SessionEvent, SessionState
from signer.hsm.job import Job
from signer.hsm.session import BoundSession
from signer.hsm.slot import Slot

# How soon an idle session notices that its slot went down, seconds.
TICK_SECONDS: Final = 1.0
# How long a second try waits for another slot before its own may have it.
ELSEWHERE_SECONDS: Final = 0.1
_WORKING: Final = frozenset({SessionState.READY, SessionState.BUSY})

_log = structlog.get_logger(__name__)
_random = random.SystemRandom()


class Worker:
    """A place for one session in the pool.

    Args:
        slot: where it opens sessions.
        desk: where jobs come from.
        stopping: set when the pool closes.
        stuck_seconds: how long a call may take before its session counts as stuck.
        keepalive_seconds: how long a session may be idle; the pings keep below it,
            and are spread.
        elsewhere: tells whether another slot is up, to which a second try goes.
    """

    def __init__(
        self,
        slot: Slot,
        desk: Desk,
        stopping: threading.Event,
        *,
        stuck_seconds: float,
        keepalive_seconds: float,
        elsewhere: Callable[[Slot], bool] = lambda _slot: False,
    ) -> None:
        self.slot = slot
        self._elsewhere = elsewhere
        self._desk = desk
        self._stopping = stopping
        self._stuck_seconds = stuck_seconds
        self._keepalive_seconds = keepalive_seconds
        self._state = SessionState.PAUSED
        self._since = time.monotonic()
        self._first: BoundSession | None = None
        self._dismissed = False
        # A call that never ends must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="hsm-session", daemon=True)

    def start(self, session: BoundSession | None) -> None:
        """Start, with a session that is open already or without."""
        self._first = session
        if session is not None:
            self._note(SessionEvent.TRIED)
            self._note(SessionEvent.OPENED)
        self._thread.start()

    def dismiss(self) -> None:
        """End once what is at work is done."""
        self._dismissed = True

    def join(self, seconds: float) -> None:
        """Wait for its end, for some time."""
        self._thread.join(seconds)

    @property
    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def state_at(self, now: float) -> SessionState:
        """Return the state; a call that takes too long makes it STUCK."""
        state, since = self._state, self._since
        at_work = state in (SessionState.BUSY, SessionState.OPENING)
        if at_work and now - since > self._stuck_seconds:
            return SessionState.STUCK
        return state

    def is_working(self, now: float) -> bool:
        """Tell whether its session is ready or at work, and not stuck."""
        return self.state_at(now) in _WORKING

    def _run(self) -> None:
        session = self._first
        while session is not None or not (self._dismissed or self._stopping.is_set()):
            if session is not None:
                self._serve(session)
                session.close()
            session = None if self._dismissed else self._slot_session()
        self._note(SessionEvent.CLOSED)

    def _slot_session(self) -> BoundSession | None:
        try:
            return self.slot.connect(self._note, self._stopping)
        except Exception:  # noqa: BLE001 - a bug must not cost the pool a thread
            _log.exception("a session failed to open")
            if self._state is not SessionState.PAUSED:
                self._note(SessionEvent.RETIRED)
            self._stopping.wait(TICK_SECONDS)
            return None

    def _serve(self, session: BoundSession) -> None:
        used, idle = time.monotonic(), self._idle_seconds()
        while self._usable(session):
            job = self._desk.take(TICK_SECONDS, self.slot.name)
            if job is not None:
                if not self._usable(session):
                    self._desk.put_back(job)
                    break
                if not self._work(session, job):
                    return
                used = self._since
            elif time.monotonic() - used >= idle:
                if not self._ping(session):
                    break
                used, idle = time.monotonic(), self._idle_seconds()
        self._note(SessionEvent.RETIRED)

    def _usable(self, session: BoundSession) -> bool:
        going_on = not (self._dismissed or self._stopping.is_set())
        return going_on and self.slot.is_current(session)

    def _idle_seconds(self) -> float:
        return self._keepalive_seconds * _random.uniform(0.5, 0.9)

    def _ping(self, session: BoundSession) -> bool:
        code = session.ping()
        if code:
            self.slot.failed(session, TokenError(code, began=False))
        return not code

    def _work(self, session: BoundSession, job: Job) -> bool:
        """Do a job; True when the session may be used again."""
        self._note(SessionEvent.TAKEN)
        began = self._since
        while (item := job.begin(session, self.slot, self._since)) is not None:
            way = item.way
            try:
                signature = session.sign(way.name, way.scheme.prepared, item.data)
            except TokenError as error:
                self._retire(session, job, error)
                return False
            except BaseException:  # noqa: BLE001 - the same; and nothing is certain then
                self._note(SessionEvent.RETIRED)
                job.refuse(OutcomeUnknownError("internal error"))
                self._pass_on(job)
                _log.exception("signing failed")
                return False
            self._since = now = time.monotonic()
            seconds = job.answer(signature, now)
            self.slot.called(way.name, seconds)
            self.slot.record.succeeded()
            in_time = seconds < self._stuck_seconds
            if not in_time or (not job.is_finished and not self._usable(session)):
                self._note(SessionEvent.RETIRED)
                self._pass_on(job)
                return False
        self._note(SessionEvent.DONE)
        self._desk.served(self._since - began, self._since)
        job.finish()
        return True

    def _retire(self, session: BoundSession, job: Job, error: TokenError) -> None:
        self._note(SessionEvent.RETIRED)
        again = job.try_again(error)
        self.slot.failed(session, error)
        if not again:
            job.refuse(error.for_caller())
        elif self._elsewhere(self.slot):
            job.avoided = self.slot.name
            job.avoided_until = time.monotonic() + ELSEWHERE_SECONDS
        self._pass_on(job)

    def _pass_on(self, job: Job) -> None:
        """Leave what is left of a job to other sessions."""
        if job.is_finished:
            job.finish()
        else:
            self._desk.put_back(job)

    def _note(self, event: SessionEvent) -> None:
        before = self._state
        self._since = time.monotonic()
        self._state = after = SESSIONS[before, event]
        change = (after in _WORKING) - (before in _WORKING)
        if change:
            self._desk.count(change)
