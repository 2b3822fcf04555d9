"""What the C library does with memory that was freed."""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
TRIM_BYTES, MMAP_BYTES = 64 << 20, 32 << 20
TUNABLES = "GLIBC_TUNABLES"  # which it reads before a program starts
LISTS = "glibc.malloc.tcache_count=1000"  # freed pieces of each size up to 1 KiB, for seven


def keep_freed() -> None:
    """Keep up to 64 MiB of what is freed: a large message's memory is for the next one.

    Else each goes back to the kernel, which clears it and maps it in again page by page.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)


def environment() -> dict[str, str]:
    """Return the environment of a new process whose threads keep more of what they free.

    A token in software takes hundreds of pieces of memory for a signature, of few sizes. What
    is set already stays as it is.
    """
    return {TUNABLES: LISTS} | os.environ
