"""The thread that gives outcomes a transaction when no request brings one."""

import threading
import time
from typing import Any

import pytest

from signer.ledger.flusher import Flusher

PAUSE_SECONDS = 0.2


class _Slow(threading.Event):
    """Takes its time to clear, as a thread does that is interrupted there."""

    def clear(self) -> None:
        time.sleep(PAUSE_SECONDS)
        super().clear()


def _closed(flusher: Flusher) -> bool:
    closing = threading.Thread(target=flusher.close, daemon=True)
    closing.start()
    closing.join(20 * PAUSE_SECONDS)
    return not closing.is_alive()


def test_what_is_due_is_flushed_soon_and_once_more_at_the_end() -> None:
    """A flush that does not do everything is tried again."""
    results = iter([False, True, True])
    flushed = threading.Semaphore(0)

    def flush() -> bool:
        flushed.release()
        return next(results)

    flusher = Flusher(flush, 0.01)
    flusher.due()
    for _ in range(2):
        assert flushed.acquire(timeout=20 * PAUSE_SECONDS)
    assert not flushed.acquire(timeout=PAUSE_SECONDS)
    assert _closed(flusher)
    assert flushed.acquire(blocking=False)


def test_a_close_just_as_a_flush_begins_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever closes the ledger waits for a thread that waits for ever."""
    slow: Any = _Slow  # by chance a thread is interrupted there once in thousands of closes
    monkeypatch.setattr("signer.ledger.flusher.threading.Event", slow)
    flusher = Flusher(lambda: True, 0.0)
    flusher.due()
    time.sleep(PAUSE_SECONDS / 4)  # it clears by now
    assert _closed(flusher)
