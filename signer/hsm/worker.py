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
from signer.hsm.seat import Fault, Seat
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
        self._seat: Seat | None = None
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
        """End once the call that is under way is done."""
        self._dismissed = True
        seat = self._seat
        if seat is not None:
            seat.halt()

    def join(self, seconds: float) -> None:
        """Wait for its end, for some time."""
        self._thread.join(seconds)

    @property
    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def state_at(self, now: float) -> SessionState:
        """Return the state; a call makes it BUSY, and one that takes too long STUCK."""
        state, since, seat = self._state, self._since, self._seat
        if state is SessionState.READY and seat is not None and (busy_since := seat.busy_since):
            state, since = SessionState.BUSY, busy_since
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
                seat = self._desk.seat(session, self.slot, self._stuck_seconds)
                self._serve(seat)
                session.close()
                self._desk.leave(seat)
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

    def _serve(self, seat: Seat) -> None:
        self._seat, session = seat, seat.session
        used, idle = time.monotonic(), self._idle_seconds()
        while self._usable(seat):
            fault = self._desk.serve(seat, TICK_SECONDS)
            if fault is not None:
                self._note(SessionEvent.RETIRED)
                self._failed(session, fault)
                return
            used = max(used, seat.used)
            if time.monotonic() - used >= idle:
                if not self._ping(session):
                    break
                used, idle = time.monotonic(), self._idle_seconds()
        self._note(SessionEvent.RETIRED)

    def _usable(self, seat: Seat) -> bool:
        return seat.is_usable and not (self._dismissed or self._stopping.is_set())

    def _idle_seconds(self) -> float:
        return self._keepalive_seconds * _random.uniform(0.5, 0.9)

    def _ping(self, session: BoundSession) -> bool:
        code = session.ping()
        if code:
            self.slot.failed(session, TokenError(code, began=False))
        return not code

    def _failed(self, session: BoundSession, fault: Fault) -> None:
        job, error = fault
        if not isinstance(error, TokenError):  # a bug: nothing is certain then
            job.refuse(OutcomeUnknownError("internal error"))
            self._desk.resume(job)
            _log.error("signing failed", exc_info=error)  # only now: a slow log keeps no caller
        else:
            again = job.try_again(error)
            self.slot.failed(session, error)
            if not again:
                job.refuse(error.for_caller())
            elif self._elsewhere(self.slot):
                job.avoid(self.slot.name, time.monotonic() + ELSEWHERE_SECONDS)
            self._desk.resume(job)

    def _note(self, event: SessionEvent) -> None:
        before = self._state
        self._since = time.monotonic()
        self._state = after = SESSIONS[before, event]
        change = (after in _WORKING) - (before in _WORKING)
        if change:
            self._desk.count(change)
