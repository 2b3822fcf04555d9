"""Verifying a published log offline: every byte of it, down from the signed root."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from signer.audit.merkle import HASH_BYTES, leaf_hash, root_of
from signer.audit.note import Checkpoint, NoteError, Verifier, open_note
from signer.audit.tiles import (
    CHECKPOINT,
    ENTRIES,
    TEMPORARY,
    WIDTH,
    Tile,
    edge_root,
    pack,
    shape,
    split,
    unpack,
)


class VerificationError(Exception):
    """The log is not what was signed; the message names the first file or entry."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A log that is whole: its signed head, and files that are no part of it yet."""

    head: Checkpoint
    ignored: tuple[str, ...]


def verify(directory: Path, verifier: Verifier) -> Verified:
    """Check the checkpoint's signature, all tiles, all entries and all other files.

    Raises:
        VerificationError: something is missing, changed, or does not belong there.
    """
    try:
        return _Verification(directory, verifier).run()
    except OSError as error:
        raise VerificationError(f"{error.filename}: {error.strerror}") from None


class _Verification:
    def __init__(self, directory: Path, verifier: Verifier) -> None:
        self._directory = directory
        try:
            note = (directory / CHECKPOINT).read_bytes()
            self._head = Checkpoint.from_text(open_note(note, verifier))
        except NoteError as error:
            raise VerificationError(f"{CHECKPOINT}: {error}") from None
        if self._head.origin != verifier.name:
            raise VerificationError(f"{CHECKPOINT}: it is of the log {self._head.origin!r}")
        self._shape = {level: (full, width) for level, full, width in shape(self._head.size)}
        self._top = max(self._shape)

    def run(self) -> Verified:
        """From the root down, so that what is named as wrong is wrong."""
        self._check_root()
        for level in range(self._top - 1, -1, -1):
            self._check_level(level)
        self._check_entries()
        return Verified(self._head, tuple(sorted(self._other_files())))

    def _check_root(self) -> None:
        edges = []
        for level in range(self._top + 1):
            full, width = self._shape[level]
            edges.append(self._hashes(Tile(level, full, width)) if width else [])
        if edge_root(self._head.size, edges) != self._head.root:
            raise VerificationError("the partial tiles do not add up to the checkpoint's root")

    def _check_level(self, level: int) -> None:
        parents = (node for tile in self._tiles(level + 1) for node in self._hashes(tile))
        for index, parent in zip(range(self._shape[level][0]), parents, strict=True):
            tile = Tile(level, index)
            if root_of(self._hashes(tile)) != parent:
                raise VerificationError(f"{tile.path}: not what the tile above it says")

    def _check_entries(self) -> None:
        for tile in self._tiles(ENTRIES):
            hashes = self._hashes(Tile(0, tile.index, tile.width))
            for place, (entry, node) in enumerate(zip(self._entries(tile), hashes, strict=True)):
                if leaf_hash(entry) != node:
                    index = tile.index * WIDTH + place
                    raise VerificationError(f"{tile.path}: entry {index} was changed")

    def _tiles(self, level: int) -> Iterator[Tile]:
        full, width = self._shape[level]
        yield from (Tile(level, index) for index in range(full))
        if width:
            yield Tile(level, full, width)

    def _hashes(self, tile: Tile) -> list[bytes]:
        data = self._read(tile)
        if len(data) != tile.width * HASH_BYTES:
            raise VerificationError(f"{tile.path}: has {len(data)} bytes")
        return split(data)

    def _entries(self, tile: Tile) -> list[bytes]:
        try:
            entries = unpack(self._read(tile))
        except ValueError as error:
            raise VerificationError(f"{tile.path}: {error}") from None
        if len(entries) != tile.width:
            raise VerificationError(f"{tile.path}: has {len(entries)} entries")
        return entries

    def _read(self, tile: Tile) -> bytes:
        try:
            return (self._directory / tile.path).read_bytes()
        except FileNotFoundError:
            raise VerificationError(f"{tile.path}: is missing") from None

    def _other_files(self) -> Iterator[str]:
        """Yield what a publication that is under way, or was interrupted, left."""
        for file in self._directory.rglob("*"):
            path = file.relative_to(self._directory).as_posix()
            if file.is_dir() or path == CHECKPOINT:
                continue
            if path.endswith(TEMPORARY):
                yield path
                continue
            tile = Tile.from_path(path)
            if tile is None:
                raise VerificationError(f"{path}: is no part of a log")
            if not self._is_known(tile):
                yield path

    def _is_known(self, tile: Tile) -> bool:
        """Check a tile that is in the tree; an older partial tile is the start of a newer."""
        full, width = self._shape.get(tile.level, (0, 0))
        if tile.index < full:
            whole = Tile(tile.level, tile.index)
        elif tile.index == full and tile.width <= width:
            whole = Tile(tile.level, full, width)
        else:
            return False
        if tile != whole and self._read(tile) != self._start(whole, tile.width):
            raise VerificationError(f"{tile.path}: not the beginning of {whole.path}")
        return True

    def _start(self, whole: Tile, width: int) -> bytes:
        if whole.level == ENTRIES:
            return pack(self._entries(whole)[:width])
        return b"".join(self._hashes(whole)[:width])
