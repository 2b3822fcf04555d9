"""How many long-lived streams are open: each has a thread for as long as it lasts."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from signer.errors import TooManyStreamsError


class Streams:
    """Bounds the streams of one caller, and of all together."""

    def __init__(self, each: int, together: int) -> None:
        self._each = each
        self._together = together
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @contextmanager
    def of(self, caller: str) -> Iterator[None]:
        """Keep a place for a stream while it is open.

        Raises:
            TooManyStreamsError: the caller's places are taken, or all are.
        """
        with self._lock:
            if self._open[caller] >= self._each:
                raise TooManyStreamsError(f"{self._each} streams of this caller are open")
            if self._open.total() >= self._together:
                raise TooManyStreamsError(f"{self._together} streams are open")
            self._open[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[caller] -= 1
