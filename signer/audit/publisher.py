"""Publishing the log: new leaves go into tiles, and a signed checkpoint follows."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from signer.approval import Approval
from signer.audit.note import Checkpoint, NoteError, Verifier, open_note, sign_note
from signer.audit.tiles import CHECKPOINT, Tile, Tiles, shape, write

SIGN_SECONDS = 10.0
PAGE = 4096  # leaves read at once
_log = structlog.get_logger(__name__)

Sign = Callable[[Approval, float], bytes]


class LogMismatchError(Exception):
    """What was published is not a part of the ledger's log: one of them was tampered with."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is published: every interval or ``batch`` leaves, or so long after the last."""

    interval_seconds: float = 1.0
    batch: int = 4096
    idle_seconds: float = 60.0


EVERY_SECOND = Pace()


class Log(Protocol):
    """The ledger, as its publisher sees it."""

    def leaves(self, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return committed leaves from ``start`` on, with their indexes."""

    def wait(self, size: int, timeout: float) -> int:
        """Wait until there are more than ``size`` leaves, and return how many there are."""

    def interrupt(self) -> None:
        """End the waiting."""

    def approve_checkpoint(self) -> tuple[Approval, bytes] | None:
        """Approve one signature over the checkpoint of the committed log."""


class Publisher:
    """Copies the ledger's leaves into a directory in the layout of C2SP tlog-tiles.

    Publishes every second or 4,096 leaves when there is something new, once a
    minute otherwise, and when it is closed. Each checkpoint commits to all
    earlier ones: the root over what was published and what is new must be the
    one that the ledger computed by itself.
    """

    def __init__(
        self,
        log: Log,
        sign: Sign,
        directory: Path,
        verifier: Verifier,
        pace: Pace = EVERY_SECOND,
    ) -> None:
        """Continue from what is on disk.

        ``sign`` takes an approval and a deadline in seconds of ``time.monotonic``;
        ``verifier`` holds the log's origin and the public key that belongs to it.

        Raises:
            LogMismatchError: the checkpoint on disk is not ours, or does not fit its tiles.
            OSError: the directory cannot be read.
        """
        self._log = log
        self._sign = sign
        self._directory = directory
        self._verifier = verifier
        self._pace = pace
        self.failure: str | None = None
        self.published_at = 0.0  # seconds since the epoch; 0 before the first time
        self._published: tuple[Checkpoint, bytes] | None = None
        self._outdated: set[str] = set()
        self._tiles: Tiles | None = self._resume()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-publisher", daemon=True)

    def start(self) -> None:
        """Publish from now on, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Publish what is new and stop."""
        self._stopping.set()
        self._log.interrupt()
        if self._thread.is_alive():
            self._thread.join()

    def newest(self) -> tuple[int, str] | None:
        """Return the newest checkpoint: its tree size and the signed note."""
        if self._published is None:
            return None
        head, note = self._published
        return head.size, note.decode()

    def publish(self) -> int:
        """Publish the log as it is now and return its size.

        Raises:
            LogMismatchError: see there; nothing may be published any more.
            SigngateError: the ledger or the token failed; try again later.
            OSError: the directory cannot be written; try again later.
        """
        approved = self._log.approve_checkpoint()
        if approved is None:
            return self._size
        approval, text = approved
        head = Checkpoint.from_text(text)
        tiles = self._tiles or self._resume()
        self._tiles = None  # whatever fails from here on, what is on disk counts
        self._copy(tiles, head)
        tiles.flush()
        signature = self._sign(approval, time.monotonic() + SIGN_SECONDS)
        note = sign_note(text, self._verifier, signature)
        write({self._directory / CHECKPOINT: note})
        self._tidy(head)
        self._published = head, note
        self.published_at = time.time()
        self._tiles = tiles
        return head.size

    @property
    def _size(self) -> int:
        return self._published[0].size if self._published else 0

    def _resume(self) -> Tiles:
        path = self._directory / CHECKPOINT
        if not path.exists():
            return Tiles(self._directory)
        note = path.read_bytes()
        try:
            head = Checkpoint.from_text(open_note(note, self._verifier))
            tiles = Tiles(self._directory, head.size)
            root = tiles.root()
        except (NoteError, ValueError) as error:
            raise LogMismatchError(f"{path} and its tiles: {error}") from None
        if (head.origin, head.root) != (self._verifier.name, root):
            raise LogMismatchError(f"{path} does not fit its tiles")
        self._published = head, note
        return tiles

    def _copy(self, tiles: Tiles, head: Checkpoint) -> None:
        while tiles.size < head.size:
            leaves = self._log.leaves(tiles.size, min(PAGE, head.size - tiles.size))
            expected = range(tiles.size, tiles.size + len(leaves))
            if not leaves or [index for index, _ in leaves] != list(expected):
                raise LogMismatchError(f"the ledger has a gap after leaf {tiles.size}")
            tiles.append([body for _, body in leaves])
        if (tiles.size, tiles.root()) != (head.size, head.root):
            raise LogMismatchError(
                f"the ledger's {head.size} leaves do not continue the {self._size} published ones"
            )

    def _tidy(self, head: Checkpoint) -> None:
        """Remove the partial tiles before the last; a reader may be at those of the last."""
        needed = _partial_tiles(head.size) | _partial_tiles(self._size)
        for path in self._outdated - needed:
            file = self._directory / path
            file.unlink(missing_ok=True)
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
        self._outdated = needed

    def _run(self) -> None:
        pace = self._pace
        idle_until = time.monotonic() + pace.idle_seconds
        while not self._stopping.is_set():
            try:
                size = self._log.wait(self._size + pace.batch - 1, pace.interval_seconds)
                if size > self._size or time.monotonic() >= idle_until:
                    self.publish()
                    idle_until = time.monotonic() + pace.idle_seconds
            except LogMismatchError as error:
                self._stop(error)
                return
            except Exception:  # noqa: BLE001 - publishing must outlive whatever it is
                _log.exception("the log could not be published; trying again")
                self._stopping.wait(pace.interval_seconds)
        self._finish()

    def _finish(self) -> None:
        try:
            self.publish()
        except LogMismatchError as error:
            self._stop(error)
        except Exception:  # noqa: BLE001 - the shutdown goes on
            _log.exception("the end of the log could not be published")

    def _stop(self, error: LogMismatchError) -> None:
        self.failure = str(error)
        _log.critical("the published log and the ledger disagree; publishing stopped", error=error)


def _partial_tiles(size: int) -> set[str]:
    return {Tile(level, full, width).path for level, full, width in shape(size) if width}
