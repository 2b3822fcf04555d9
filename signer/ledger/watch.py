"""Waiting for new leaves."""

import threading
import time
from collections.abc import Callable

SLICE_SECONDS = 0.25  # what another process committed is noticed this late at most


class Watch:
    """Wakes waiters at once for this process's commits, and looks for those of others."""

    def __init__(self, read_size: Callable[[], int]) -> None:
        self._read_size = read_size
        self._changed = threading.Condition()
        self._size = 0
        self._interrupts = 0

    def committed(self, size: int) -> None:
        """Take note of a commit of this process."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def interrupt(self) -> None:
        """End every wait that is under way."""
        with self._changed:
            self._interrupts += 1
            self._changed.notify_all()

    def wait(self, size: int, timeout: float) -> int:
        """Wait at most ``timeout`` seconds for more than ``size`` leaves; return how many."""
        interrupts = self._interrupts
        deadline = time.monotonic() + timeout

        def over() -> bool:
            return self._size > size or self._interrupts != interrupts

        while True:
            now = self._read_size()
            remaining = deadline - time.monotonic()
            if now > size or remaining <= 0 or self._interrupts != interrupts:
                return now
            with self._changed:
                self._changed.wait_for(over, min(remaining, SLICE_SECONDS))
