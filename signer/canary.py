"""A signature by each slot at a fixed pace: what does not sign is found before a caller does.

The canary goes through the same approval, session and verification as any signature. A
slot that fails twice in a row must prove itself again before it is given work.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from signer.approval import Approval
from signer.errors import HsmError, SigngateError
from signer.hsm import Pool
from signer.ledger.canaries import Canaries, CanaryKey

SECONDS: Final = 5.0  # how long a slot may take
TRIES: Final = 2

_log = structlog.get_logger(__name__)


class Observer(Protocol):
    """Who counts canaries."""

    def canary(self, slot: str, outcome: str) -> None:
        """Take what came of one: ``signed``, ``refused``, ``unknown``, ``frozen``, ``failed``."""


class Canary:
    """Signs by every slot in turn, in a thread.

    Args:
        canaries: approves and records.
        pool: signs.
        key: what with.
        interval_seconds: between two canaries of one slot.
        observer: counts.
    """

    def __init__(
        self,
        canaries: Canaries,
        pool: Pool,
        key: CanaryKey,
        interval_seconds: float,
        observer: Observer,
    ) -> None:
        self._canaries = canaries
        self._pool = pool
        self._key = key
        self._interval_seconds = interval_seconds
        self._observer = observer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)

    def start(self) -> None:
        """Begin, with the first one at once."""
        self._thread.start()

    def close(self) -> None:
        """Sign no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        slots = [slot.label for slot in self._pool.status()]
        due = time.monotonic()
        while not self._stopping.is_set():
            for slot in slots:
                self._visit(slot)
            due = max(due + self._interval_seconds, time.monotonic())
            self._stopping.wait(due - time.monotonic())

    def _visit(self, slot: str) -> None:
        try:
            self._prove(slot)
        except SigngateError as error:  # no ledger, no canary; its failure shows elsewhere
            _log.warning("no canary", slot=slot, error=str(error))
            self._observer.canary(slot, "failed")
        except Exception:  # noqa: BLE001 - the thread must outlive whatever it is
            _log.exception("canary failed")
            self._observer.canary(slot, "failed")

    def _prove(self, slot: str) -> None:
        for _ in range(TRIES):
            if self._sings(slot):
                return
        self._pool.distrust(slot)

    def _sings(self, slot: str) -> bool:
        """Sign once; False when the slot failed."""
        approval = self._canaries.approve(self._key, slot)
        if approval is None:
            self._observer.canary(slot, "frozen")
            return True
        outcome, signature, detail = _signed(self._pool.sign, approval, slot)
        self._observer.canary(slot, outcome)
        self._canaries.record(approval, outcome, signature, f"slot {slot}{detail}")
        if outcome != "signed":
            _log.warning("canary", slot=slot, outcome=outcome, error=detail)
        return outcome == "signed"


def _signed(sign: Callable[..., bytes], approval: Approval, slot: str) -> tuple[str, bytes, str]:
    try:
        signature = sign(approval, time.monotonic() + SECONDS, slot=slot)
    except HsmError as error:
        detail = f": {type(error).__name__}: {error}"
        return ("refused" if error.certain else "unknown"), b"", detail
    return "signed", signature, ""
