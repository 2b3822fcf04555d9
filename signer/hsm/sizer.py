"""The thread that gives each slot as many sessions as it is worth; see ``sizing``."""

import threading
from collections.abc import Mapping
from typing import Final, Protocol

import structlog
from pkcs11.exceptions import PKCS11Error

from signer.errors import SigngateError
from signer.hsm.errors import Ckr, TokenError, code_of
from signer.hsm.health import SlotState
from signer.hsm.session import BoundSession
from signer.hsm.sizing import SessionRange, Sizing
from signer.hsm.slot import Slot

WINDOW_SECONDS: Final = 0.25

_log = structlog.get_logger(__name__)


class Crew(Protocol):
    """The pool, as its sizer sees it."""

    def size(self, slot: Slot) -> int:
        """Return how many sessions a slot is meant to have."""

    def hire(self, slot: Slot, session: BoundSession) -> None:
        """Have one session more; closes it when the pool is closing."""

    def dismiss(self, slot: Slot) -> None:
        """Have one session fewer."""

    def crowded(self) -> float:
        """Return the share of requests since the last time that found others waiting."""


class Sizer:
    """Measures each slot under load, and opens or closes one session at a time."""

    def __init__(
        self, crew: Crew, slots: list[Slot], bounds: SessionRange, stopping: threading.Event
    ) -> None:
        self._crew = crew
        self._sizings: Mapping[Slot, Sizing] = {slot: Sizing(bounds) for slot in slots}
        self._stopping = stopping
        self._thread = threading.Thread(target=self._run, name="hsm-sizer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for its end, for some time."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.wait(WINDOW_SECONDS):
            crowded = self._crew.crowded()
            for slot, sizing in self._sizings.items():
                if slot.state is SlotState.UP:
                    self._resize(slot, sizing, crowded)

    def _resize(self, slot: Slot, sizing: Sizing, crowded: float) -> None:
        size = self._crew.size(slot)
        wanted = sizing.next(size, slot.calls(), crowded)
        if wanted > size:
            self._grow(slot, sizing, size)
        for _ in range(size - wanted):
            self._crew.dismiss(slot)
        if wanted < size:
            _log.info("sessions", token=slot.name, sessions=wanted)

    def _grow(self, slot: Slot, sizing: Sizing, size: int) -> None:
        if slot.token.room() == 0:
            return sizing.cap(size)
        try:
            session = slot.open_another()
        except (PKCS11Error, TokenError, SigngateError) as error:
            _log.warning("no further session", token=slot.name, sessions=size, error=str(error))
            full = isinstance(error, PKCS11Error) and code_of(error) == Ckr.SESSION_COUNT
            return sizing.cap(size) if full else None
        return None if session is None else self._crew.hire(slot, session)
