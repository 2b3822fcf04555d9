"""When the kernel lets a thread run that was woken."""

import contextlib
import os


def take_turns() -> None:
    """Let the threads of this process, from now on, not interrupt one another.

    A thread that is woken mostly needs the interpreter, which the running one has: it would
    take the core only to wait again. So it waits for its turn (SCHED_BATCH, sched(7)):
    half of the context switches, and a tenth of the CPU time of a signature.
    """
    if hasattr(os, "SCHED_BATCH"):  # Linux
        with contextlib.suppress(OSError):  # a container may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
