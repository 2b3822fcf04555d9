"""The health of a slot and of its sessions: two tables, and when to try again.

No thread, no clock and no token in here; time and chance are arguments. A
transition that is not in a table is a bug and raises ``KeyError``.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum, auto
from typing import Final


class SessionState(StrEnum):
    """What a session's thread is doing.

    BUSY and STUCK are in no table: its thread can't say them. They are what others call a
    READY session whose call is under way, and one that has been OPENING or BUSY for too long.
    """

    PAUSED = "paused"  # there is no session; it waits for its time to open one
    OPENING = "opening"
    READY = "ready"
    BUSY = "busy"
    STUCK = "stuck"
    CLOSED = "closed"


class SessionEvent(IntEnum):  # not Enum, whose hash is a function of Python's
    """What happens to a session."""

    TRIED = auto()
    OPENED = auto()
    RETIRED = auto()
    CLOSED = auto()


_S, _E = SessionState, SessionEvent
SESSIONS: Final[Mapping[tuple[SessionState, SessionEvent], SessionState]] = {
    (_S.PAUSED, _E.TRIED): _S.OPENING,
    (_S.OPENING, _E.OPENED): _S.READY,
    (_S.OPENING, _E.RETIRED): _S.PAUSED,
    (_S.READY, _E.RETIRED): _S.PAUSED,
    (_S.PAUSED, _E.CLOSED): _S.CLOSED,
}


class SlotState(StrEnum):
    """Whether a slot is given work: the breaker's state."""

    UP = "up"  # closed
    DOWN = "down"  # open
    PROBING = "probing"  # half open: one session opens and proves every key
    REFUSED = "refused"  # the PIN is refused; only an operator can help


class SlotEvent(IntEnum):
    """What happens to a slot."""

    FAILED = auto()  # too much, or for certain
    TRIED = auto()
    OPENED = auto()
    NOT_OPENED = auto()
    PIN_REFUSED = auto()


_L, _V = SlotState, SlotEvent
SLOTS: Final[Mapping[tuple[SlotState, SlotEvent], SlotState]] = {
    (_L.UP, _V.FAILED): _L.DOWN,
    (_L.UP, _V.TRIED): _L.UP,
    (_L.UP, _V.OPENED): _L.UP,
    (_L.UP, _V.NOT_OPENED): _L.UP,
    (_L.UP, _V.PIN_REFUSED): _L.REFUSED,
    (_L.DOWN, _V.FAILED): _L.DOWN,
    (_L.DOWN, _V.TRIED): _L.PROBING,
    # It went down while a session was opening, which is of a former generation now.
    (_L.DOWN, _V.OPENED): _L.DOWN,
    (_L.DOWN, _V.NOT_OPENED): _L.DOWN,
    (_L.DOWN, _V.PIN_REFUSED): _L.REFUSED,
    (_L.PROBING, _V.FAILED): _L.PROBING,  # old news, from before it went down
    (_L.PROBING, _V.TRIED): _L.PROBING,
    (_L.PROBING, _V.OPENED): _L.UP,
    (_L.PROBING, _V.NOT_OPENED): _L.DOWN,
    (_L.PROBING, _V.PIN_REFUSED): _L.REFUSED,
    (_L.REFUSED, _V.FAILED): _L.REFUSED,
}


class Record:
    """The last operations of a slot: how many failed, by the bits of one integer.

    A lost update between threads costs one bit, so nobody locks for it.
    """

    LENGTH: Final = 16
    LIMIT: Final = 8
    _MASK: Final = (1 << LENGTH) - 1

    def __init__(self) -> None:
        self._bits = 0

    def succeeded(self, times: int = 1) -> None:
        """Note a success, or so many."""
        if self._bits:
            self._bits = self._bits << times & self._MASK

    def failed(self) -> bool:
        """Note a failure; True when half of the last operations failed."""
        self._bits = (self._bits << 1 | 1) & self._MASK
        return self._bits.bit_count() >= self.LIMIT

    def clear(self) -> None:
        """Begin anew."""
        self._bits = 0


class Backoff:
    """Growing pauses between attempts to open, so that a token that returns is not flooded.

    Each pause is between half and all of its nominal length, which doubles from
    ``FIRST`` to ``LONGEST`` seconds.
    """

    FIRST: Final = 0.05
    LONGEST: Final = 2.0

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def failed(self, now: float, chance: float) -> None:
        """Note a failed attempt; ``chance`` is from 0 to 1."""
        nominal = min(self.LONGEST, self.FIRST * 2.0 ** min(self._failures, 16))
        self._failures += 1
        self._until = now + nominal * (0.5 + chance / 2)

    def succeeded(self) -> None:
        """Note that an attempt went well: the next one need not wait."""
        self._failures = 0

    def pause(self, now: float) -> float:
        """Return how many seconds are left before the next attempt."""
        return max(0.0, self._until - now)
