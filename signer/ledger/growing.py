"""Keeps SQLite's write-ahead log longer than what is in it.

A sync that makes a file longer also waits for the file system's own journal: twice as long
as one of bytes that the file had already. SQLite makes its log longer with each commit,
until the first checkpoint lets it begin at the front again.

What is added are zeros. SQLite reads the log up to the first frame whose salt and checksum
are not right (sqlite.org/fileformat2.html, section 4.1), so they are nothing to it, and it
writes over them when it comes to them.
"""

import os
from contextlib import suppress
from pathlib import Path

LEAST, MOST = 256 * 1024, 4 * 1024 * 1024  # bytes at once
# Bytes in one write. The page cache keeps them together, up to 2 MiB of them, and every later
# write there, be it one of 24 bytes, looks at all blocks of what is kept together.
PIECE = 64 * 1024


class Log:
    """The file beside a ledger's; its connection must have opened it, and stay open.

    As a context it goes around a commit, and makes the file longer where that did.
    """

    def __init__(self, ledger: Path, full: int) -> None:
        """``full`` bytes are enough: a checkpoint comes by then.

        Raises:
            OSError: there is no such file.
        """
        self._full = full
        # Appending never meets what SQLite writes at that moment, as its place is before the end.
        # A file object, since a bare number would be another's file after it was closed.
        self._file = os.fdopen(os.open(f"{ledger}-wal", os.O_WRONLY | os.O_APPEND), "ab", 0)
        self._before = 0

    def __enter__(self) -> None:
        self._before = self._size()

    def __exit__(self, failed: object, *_: object) -> None:
        size = self._size()
        more = min(max(size, LEAST), MOST, self._full - size)
        if failed is None and size > self._before and more > 0:
            with suppress(OSError):  # a full disk: whether the next transaction fits, it tells
                for done in range(0, more, PIECE):
                    self._file.write(bytes(min(PIECE, more - done)))

    def _size(self) -> int:
        # Not by fstat: a kernel that was asked for a file's times gives the next write one of its
        # own, and where there is no journal the sync of that write waits for the inode as well.
        return os.lseek(self._file.fileno(), 0, os.SEEK_END)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
