"""What the limiter refused, counted, and written to the audit log now and then."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from signer.errors import SigngateError
from signer.ledger.flusher import Flusher
from signer.model import Limited

PERIOD_SECONDS = 10.0
Write = Callable[[Mapping[Limited, int]], None]


class Refusals:
    """Has counts written at most once in a period, so that a flood costs no transactions."""

    def __init__(self, write: Write, period_seconds: float = PERIOD_SECONDS) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._counts: Counter[Limited] = Counter()
        self._flusher = Flusher(self._flush, period_seconds)

    def add(self, refused: Limited) -> None:
        """Count one."""
        with self._lock:
            self._counts[refused] += 1
        self._flusher.due()

    def close(self) -> None:
        """Write what was counted, if that is possible, and end."""
        self._flusher.close()

    def _flush(self) -> bool:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            if counts:
                self._write(counts)
        except SigngateError:  # the ledger is down: it is tried again, with what comes then
            with self._lock:
                self._counts += counts
            return False
        return True
