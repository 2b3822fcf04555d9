"""When a process ends: on a signal, or because only a new process can help."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

POLL_SECONDS: Final = 0.25


class Stop:
    """What the main thread waits for.

    Unlike an event, whose lock the interrupted thread may hold, a pipe can be
    written to by a signal's handler at any moment. When it is full, one more says
    nothing new.

    Attributes:
        lost: why only a new process can help; None after a signal.
    """

    def __init__(self) -> None:
        self.lost: str | None = None
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._pipe = os.fdopen(reading, "rb", buffering=0)

    def on_signals(self) -> None:
        """Stop on SIGTERM and SIGINT, whichever thread the kernel interrupts for them.

        A handler in Python would run when the main thread has been interrupted.
        """
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def give_up(self, why: str) -> None:
        """Stop for a reason that does not pass."""
        self.lost = why
        self._tell()

    def wait(self) -> None:
        """Wait until there is a reason to stop."""
        self._pipe.read(1)

    def _tell(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._writing, b".")


class Report(NamedTuple):
    """Whether something serves, and who is told each time that this changed."""

    serves: Callable[[], bool]
    tell: Callable[[bool], None]


class Monitor:
    """Looks after the process several times a second, in a thread.

    Args:
        reports: what is told of its health.
        lost: tells why only a new process can help, None while it can go on.
        give_up: told that reason, once; nothing is looked at any more.
    """

    def __init__(
        self,
        reports: Sequence[Report],
        lost: Callable[[], str | None],
        give_up: Callable[[str], None],
    ) -> None:
        self._reports = reports
        self._lost = lost
        self._give_up = give_up
        self._serving = [True] * len(reports)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        """Begin; everything was told that it serves."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            why = self._lost()
            self._tell(lost=why is not None)
            if why is not None:
                self._give_up(why)
                return

    def _tell(self, *, lost: bool) -> None:
        for number, report in enumerate(self._reports):
            serves = not lost and report.serves()
            if serves is not self._serving[number]:
                self._serving[number] = serves
                report.tell(serves)
