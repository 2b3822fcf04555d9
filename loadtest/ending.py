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
    if not _is_interrupted():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a new process inherits
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def later() -> Iterator[None]:
    """Have nothing in the context interrupted; whoever wants to stop is heard after it."""
    if not _is_interrupted():
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


def _is_interrupted() -> bool:
    """Whether this is the thread that signals interrupt, and that may say what they do."""
    return threading.current_thread() is threading.main_thread()
