"""What the limiter refused, counted, and written to the audit log now and then."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

import grpc

from signer.errors import RateLimitedError, SigngateError
from signer.ledger.flusher import Flusher
from signer.model import Caller, Limited
from signer.rpc.fair import is_shed
from signer.rpc.peer import Identify

PERIOD_SECONDS = 10.0
RETRY_SECONDS = 0.1
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


def refusing_shed(identify: Identify, refused: Callable[[Limited], None]) -> Identify:
    """Identify, and refuse at once a call that came when its caller's lane was full."""

    def check(context: grpc.ServicerContext) -> Caller:
        caller = identify(context)
        if is_shed():
            refused(Limited(caller.san, "share"))
            raise RateLimitedError("too many calls of this caller wait", RETRY_SECONDS)
        return caller

    return check
