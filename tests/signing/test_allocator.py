"""What becomes of memory that was freed."""

import subprocess
import sys

MEASURE = """
import resource
from signer import allocator
allocator.keep_freed()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
messages = lambda: [bytearray(1 << 20) for _ in range(8)]
messages()
before = faults()
for _ in range(10):
    messages()
print(faults() - before)
"""
PAGES = 10 * 8 * (1 << 20) // 4096  # that would be mapped in again


def test_freed_memory_stays_for_the_next_message() -> None:
    """What large messages took is not given back to the kernel, and mapped in again."""
    command = (sys.executable, "-c", MEASURE)
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(found.stdout) < PAGES / 4
