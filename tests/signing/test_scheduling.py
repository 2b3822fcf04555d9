"""Threads that take turns."""

import os
import subprocess
import sys

PROGRAM = """
import os, threading
from signer import scheduling
scheduling.take_turns()
found = []
thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
thread.start()
thread.join()
print(os.sched_getscheduler(0), *found)
"""


def test_a_process_and_its_threads_take_turns() -> None:
    """Whatever is started afterwards does so as well."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [str(os.SCHED_BATCH)] * 2


def test_where_that_is_forbidden_all_is_as_usual() -> None:
    """A container that may not choose still serves."""
    forbidden = PROGRAM.replace(
        "scheduling.take_turns()",
        "def no(*_):\n    raise PermissionError\n"
        "os.sched_setscheduler = no\nscheduling.take_turns()",
    )
    command = [sys.executable, "-c", forbidden]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [str(os.SCHED_OTHER)] * 2
