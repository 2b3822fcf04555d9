"""A signal stops a process, whichever of its threads the kernel hands it to."""

import subprocess
import sys

import pytest

OTHER = """import signal, threading, time
from signer.stopping import Stop

stop = Stop()
stop.on_signals()

def other():
    time.sleep(0.2)  # until the main thread waits
    signal.pthread_kill(threading.get_ident(), signal.{})
    time.sleep(5)
    stop.give_up("too late")

threading.Thread(target=other, daemon=True).start()
stop.wait()
print(stop.lost)
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_another_thread_is_interrupted(number: str) -> None:
    """As the kernel does while the main thread is traced, or busy with another signal."""
    done = subprocess.run(
        (sys.executable, "-c", OTHER.format(number)), check=True, capture_output=True, text=True
    )
    assert done.stdout == "None\n"
