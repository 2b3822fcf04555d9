"""A function that runs in a process of its own, call after call.

A PKCS#11 module and gRPC survive no fork, and what one measurement leaves behind
must not be in the next one's process.
"""

import contextlib
import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, Self, TypeVar

from loadtest import ending
from loadtest.errors import LoadtestError

T = TypeVar("T")
WAIT_SECONDS = 1800  # ten million records take minutes to fill in
STOP_SECONDS = 5


class Remote(Generic[T]):
    """The process, while the context is open.

    ``make(*arguments)`` is called once in it and returns what each ``call`` calls.
    """

    def __init__(self, make: Callable[..., Callable[..., T]], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        with ending.by_parent():
            self._process.start()
        theirs.close()  # so that its end is seen when the process dies
        self.pid = self._process.pid or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def call(self, *arguments: object) -> T:
        """Call it and wait for its result; raises ``LoadtestError`` for whatever goes wrong."""
        self.send(*arguments)
        return self.result()

    def send(self, *arguments: object) -> None:
        """Have it called; ``result`` waits for the result."""
        self._pipe.send(arguments)

    def result(self) -> T:
        """Wait for the result of the last ``send``.

        Raises:
            LoadtestError: it failed, or the process is gone.
        """
        try:
            if not self._pipe.poll(WAIT_SECONDS):
                raise LoadtestError(f"a benchmark took more than {WAIT_SECONDS} s")
            good, value = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise LoadtestError("a benchmark's process ended before its work was done") from None
        if not good:
            raise LoadtestError(value)
        result: T = value
        return result


def _serve(
    pipe: Connection, make: Callable[..., Callable[..., Any]], arguments: tuple[Any, ...]
) -> None:
    function: Callable[..., Any] | None = None
    with contextlib.suppress(EOFError, OSError):  # nobody is there any more
        while True:
            order = pipe.recv()
            try:
                function = function or make(*arguments)
                answer = True, function(*order)
            except LoadtestError as error:
                answer = False, str(error)
            except Exception:  # noqa: BLE001 - a bug here must not look like a slow server
                answer = False, traceback.format_exc()
            pipe.send(answer)
