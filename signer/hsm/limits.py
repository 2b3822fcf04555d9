"""What the pool is told at its start, and what it tells those who watch it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from signer.hsm.health import SessionState, SlotState


class Observer(Protocol):
    """What the pool tells whoever counts; called in the callers' and the pool's threads."""

    def signed(
        self, key: str, slot: str, *, queued: Sequence[float], served: Sequence[float], total: float
    ) -> None:
        """Take the times of signatures of one order, in seconds; ``total`` is of each."""

    def failed(self, slot: str, kind: str, code: str) -> None:
        """Take a failure: what the pool does about it, and the return code's name.

        Both are bounded: a code without a name is ``other``, no code is empty.
        """


class Silent:
    """Counts nothing."""

    def signed(
        self, key: str, slot: str, *, queued: Sequence[float], served: Sequence[float], total: float
    ) -> None:
        """Drop it."""

    def failed(self, slot: str, kind: str, code: str) -> None:
        """Drop it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the pool holds itself to.

    Attributes:
        queue: how many requests of each class may wait; None for four a session.
        stuck_seconds: how long one call of the token may take.
        keepalive_seconds: how long a session may be idle before a firewall or the
            token may drop it.
        restart_seconds: how long a slot whose module lost its state may be down
            before the pool asks for a restart of the process.
        bulk_keys: keys whose requests let those of the others go first.
    """

    queue: int | None = None
    stuck_seconds: float = 10.0
    keepalive_seconds: float = 20.0
    restart_seconds: float = 30.0
    bulk_keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """How a slot is: its state, how many sessions are in each state, what failed last."""

    label: str
    state: SlotState
    sessions: Mapping[SessionState, int]
    generation: int
    last_error: str
