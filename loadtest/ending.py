"""A command that is stopped from outside stops what it has started."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def as_by_hand() -> None:
    """Have SIGTERM do what Ctrl-C does: every context is left, so that its servers stop."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def by_parent() -> Iterator[None]:
    """Leave Ctrl-C, which a terminal sends to all, to this process and not to one started here."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a new process inherits
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def later() -> Iterator[None]:
    """Have nothing in the context interrupted; whoever wants to stop is heard after it."""
    if threading.current_thread() is not threading.main_thread():  # the others never are
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, lambda number, _: came.append(number)) for each in numbers]
    try:
        yield
    finally:
        for each, handler in zip(numbers, before, strict=True):
            signal.signal(each, handler)
        for number in came:
            signal.raise_signal(number)
