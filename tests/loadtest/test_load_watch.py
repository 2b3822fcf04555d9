"""While a run is under way: the server's CPU, and what is shown."""

import os
import subprocess
import sys
import time
from array import array
from io import StringIO

import pytest
from rich.console import Console

from loadtest import live
from loadtest.errors import LoadtestError
from loadtest.live import Lines, Progress, Screen
from loadtest.usage import Cpu, family
from loadtest.watch import Watch
from loadtest.worker import Tick
from tests.loadtest.samples import profile_of

BUSY = (
    "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ninput()"
)
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
PROGRESS = Progress(3, 10, "steady", 100, 98, 2, 1.25, 9.5, 12.0, 0.1, 0.5)


def test_cpu_time_counts_the_children() -> None:
    """A server's CPU time is that of its worker processes too."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE) as process:
        cpu = Cpu([process.pid])
        deadline = time.monotonic() + 20
        while cpu.seconds() < 0.3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(list(family(process.pid))) == 2
        before = cpu.seconds()
        process.communicate(b"\n")
    assert before >= 0.3
    assert cpu.seconds() >= before  # what has ended is not forgotten


def test_a_process_that_is_not_there_is_refused() -> None:
    """A wrong --pid is named instead of giving zeros."""
    with pytest.raises(LoadtestError, match="no process 4194999"):
        Cpu([4_194_999])


def test_without_a_terminal_there_are_plain_lines() -> None:
    """A log gets one line a second, without control characters."""
    stream = StringIO()
    view = live.view(Console(file=stream))
    assert type(view) is Lines
    with view.running():
        view.show(PROGRESS)
    assert (
        "steady: 100 offered, 98 done, 2 in flight, p50 1.25 ms, p99 9.50 ms" in stream.getvalue()
    )
    assert "server 0.50 cores" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_table() -> None:
    """A terminal shows the same figures in a table that is drawn again."""
    stream = StringIO()
    view = live.view(Console(file=stream, force_terminal=True, width=100))
    assert isinstance(view, Screen)
    with view.running():
        view.show(PROGRESS)
        view.show(PROGRESS)
    for expected in ("steady", "1.25 ms", "9.50 ms", "0.50 cores", "2 in flight"):
        assert expected in stream.getvalue()


def test_a_watch_sums_up_the_workers() -> None:
    """Ticks of two workers give the second's rates, percentiles and what is in flight."""
    stream = StringIO()
    cpu = Cpu([os.getpid()])
    watch = Watch(
        profile_of(seconds=2), time.monotonic() - 1.5, cpu, Lines(Console(file=stream, width=200))
    )
    watch.pulse()
    watch.add(Tick(array("d", [0.001, 0.002]), array("d", [0.0001] * 3)))
    watch.add(Tick(array("d", [0.003]), array("d", [0.0001] * 2)))
    watch.pulse()
    assert (
        "1 s  steady: 5 offered, 3 done, 2 in flight, p50 2.00 ms, p99 3.00 ms" in stream.getvalue()
    )
    assert list(watch.cores) == [0]
    watch.pulse()
    assert list(watch.cores) == [0]  # the next second is not over
