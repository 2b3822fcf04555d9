"""The thread that gives outcomes a transaction when no request brings one."""

import threading
from collections.abc import Callable

LINGER_SECONDS = 0.05


class Flusher:
    """Calls ``flush`` a little after something became due, until it says that all is done."""

    def __init__(self, flush: Callable[[], bool], linger_seconds: float = LINGER_SECONDS) -> None:
        self._flush = flush
        self._linger = linger_seconds
        self._due = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-flusher", daemon=True)
        self._thread.start()

    def due(self) -> None:
        """Ask for a flush; costs nothing while one is coming anyway."""
        if not self._due.is_set():
            self._due.set()

    def close(self) -> None:
        """Flush once more and end the thread."""
        self._closing.set()
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._due.wait()
            self._closing.wait(self._linger)
            self._due.clear()  # first: whoever closes or queues meanwhile sets it again
            closing = self._closing.is_set()
            if not self._flush():
                self._due.set()
