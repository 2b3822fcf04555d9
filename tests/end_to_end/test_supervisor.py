"""A supervisor that is told to stop does so in time, whatever its processes are at."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from signer.supervisor import KILL_SECONDS, Process, Supervisor

# Ready, and it ends when the other end of the FIFO is closed.
SERVES = "import os, sys; os.write(int(sys.argv[2].partition('=')[2]), b'ready'); open({!r}).read()"
# Never ready; it says on the FIFO that it is stuck, and SIGTERM does not end it.
STUCK = """import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open({!r}, "w").close()
time.sleep(60)"""


async def stopped(process: Process, fifo: Path, *, later: bool) -> float:
    """Stop a supervisor while a start is stuck; return the seconds that takes."""
    stuck = sys.executable, "-c", STUCK.format(str(fifo)), "-"
    if not later:
        process.command = stuck
    watched = Supervisor([process], drain_seconds=1 - KILL_SECONDS)  # killed after a second
    run = asyncio.create_task(watched.run())
    if later:
        with await asyncio.to_thread(fifo.open, "w"):
            process.command = stuck
    await asyncio.to_thread(fifo.read_bytes)
    began = time.monotonic()
    watched.stop()
    await run
    return time.monotonic() - began


@pytest.mark.parametrize("later", [False, True], ids=["first start", "restart"])
def test_a_start_that_is_stuck_holds_up_no_stop(tmp_path: Path, *, later: bool) -> None:
    """It is killed when the drain's time is over, as one that serves would be."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = Process("signing-0", (sys.executable, "-c", SERVES.format(str(fifo)), "-"))
    assert asyncio.run(stopped(process, fifo, later=later)) < 10
    assert process.running is not None
    assert process.running.returncode is not None
