"""CPU seconds of processes and of what they started, from /proc (proc(5))."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from loadtest.errors import LoadtestError

TICKS = os.sysconf("SC_CLK_TCK")
UTIME, STIME = 11, 12  # after the command, counted from the state


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of all threads of a process.

    Raises:
        OSError: there is no such process.
    """
    # The command stands in brackets and may hold spaces and brackets itself.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[UTIME]) + int(fields[STIME])) / TICKS


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text(encoding="utf-8").split():
                yield from family(int(child))


class Cpu:
    """The CPU time of servers; a process that ends keeps what it had used."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._used: dict[int, float] = {}
        for pid in self._pids:
            if not Path(f"/proc/{pid}").exists():
                raise LoadtestError(f"there is no process {pid} on this host")

    def seconds(self) -> float:
        """Return the CPU seconds used by all of them so far."""
        for pid in (member for root in self._pids for member in family(root)):
            with contextlib.suppress(OSError):
                self._used[pid] = cpu_seconds(pid)
        return sum(self._used.values())
