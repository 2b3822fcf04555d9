"""A last-in first-out stack of sessions that are ready to sign."""

import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from pkcs11.exceptions import PKCS11Error

from signer.errors import ConfigError, HsmUnavailableError
from signer.hsm.errors import code_of, describe
from signer.hsm.session import BoundSession


class Sessions:
    """Lends sessions out, one to a thread. Thread-safe.

    The one used last goes out first, so that a fast token keeps few of them warm. A
    session that saw any error is closed; its place stays empty, below the others,
    until a thread needs it and opens another.

    A permit is put after a place was filled and taken before it is emptied, so
    whoever has a permit finds a place: that makes a checkout two calls in C.

    Raises:
        ConfigError: a key on the token is not the expected one.
        PKCS11Error: as the token says.
    """

    def __init__(self, open_session: Callable[[], BoundSession], size: int) -> None:
        self._open = open_session
        self._places: deque[BoundSession | None] = deque()
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._closed = False
        try:
            for _ in range(size):
                self.give_back(open_session())
        except BaseException:
            self.close()
            raise

    def take(self, deadline: float) -> BoundSession:
        """Take a session; the caller gives it back or retires it.

        Args:
            deadline: how long to wait for one, in seconds of ``time.monotonic``.

        Raises:
            HsmUnavailableError: none was free in time, or none could be opened.
        """
        seconds = deadline - time.monotonic()
        if self._closed or seconds <= 0:
            raise HsmUnavailableError("the pool is closed" if self._closed else "no time is left")
        try:
            self._permits.get(timeout=seconds)
        except Empty:
            raise HsmUnavailableError("no session was free in time") from None
        return self._places.pop() or self._another()

    def give_back(self, session: BoundSession) -> None:
        """Return a session after a clean success."""
        self._places.append(session)
        self._permits.put(None)
        if self._closed:
            self._drain()

    def retire(self, session: BoundSession) -> None:
        """Close a session after any error: its operation may still be active."""
        session.close()
        self._leave_empty()

    def close(self) -> None:
        """Close what is idle now, and the rest as it comes back."""
        self._closed = True
        self._drain()

    def _another(self) -> BoundSession:
        try:
            return self._open()
        except PKCS11Error as error:
            self._leave_empty()
            message = f"no session could be opened: {describe(code_of(error))}"
            raise HsmUnavailableError(message) from error
        except ConfigError as error:
            self._leave_empty()
            raise HsmUnavailableError(str(error)) from error

    def _leave_empty(self) -> None:
        self._places.appendleft(None)
        self._permits.put(None)

    def _drain(self) -> None:
        while True:
            try:
                self._permits.get_nowait()
            except Empty:
                return
            session = self._places.pop()
            if session is not None:
                session.close()
