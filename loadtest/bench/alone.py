"""One call after the other, and one sync of the disk after the other: seconds each."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadtest.bench.messages import Load, Messages
from loadtest.sending import UNARY

CALLS = 50
PAGE = b"\0" * 4096


def measuring() -> Callable[..., list[float]]:
    """Return what measures ``sync`` of a directory, or ``call`` by a load; seconds each."""
    return lambda what, subject: _sync(subject) if what == "sync" else _call(subject)


def _sync(directory: Path) -> list[float]:
    path, times = directory / "sync", []
    with path.open("wb", buffering=0) as file:
        for _ in range(CALLS):
            file.write(PAGE)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return times


def _call(load: Load) -> list[float]:
    """Make calls one after the other with the synchronous API, whose clock has no ticks."""
    messages, times = Messages(load), []
    path = f"/echo/{load.size}" if load.size else UNARY["unary"]
    with load.target.connect(load.client) as channel:
        call: Any = channel.unary_unary(path)
        for wire, _ in zip(messages.wires, range(CALLS), strict=False):
            began = time.perf_counter()
            answer = call(wire)
            times.append(time.perf_counter() - began)
            messages.check(answer)
    messages.verify()
    return times
