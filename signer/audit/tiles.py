"""The log on disk in the layout of C2SP tlog-tiles.

``checkpoint`` is the signed tree head, ``tile/<L>/<N>`` holds 256 hashes,
``tile/entries/<N>`` 256 entries, each with its length before it; the last of
each may be partial, ``<N>.p/<W>``. Files are written whole or not at all, and
never changed except for the checkpoint.
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from signer.audit.merkle import HASH_BYTES, Tree, leaf_hash, root_of

WIDTH = 256  # section "Merkle tree": tiles are 256 hashes wide
ENTRIES = -1  # stands for the level of entry bundles
CHECKPOINT = "checkpoint"
TEMPORARY = ".new"
AT_ONCE = 64  # tiles that are written together, each with a descriptor
_PATH = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?|entries)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Names a tile: its level, its index there, and how wide it is, 1 to 256."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below the log's directory (section "Merkle tree")."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = f"{self.index:03d}"
        digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        return f"tile/{level}/{name}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @classmethod
    def from_path(cls, path: str) -> "Tile | None":
        """Read a path that ``path`` gives; None for any other."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        level = ENTRIES if match["level"] == "entries" else int(match["level"])
        index = int(re.sub("[^0-9]", "", match["index"]))
        tile = cls(level, index, int(match["width"] or WIDTH))
        return tile if tile.path == path else None


def shape(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield what a tree of ``size`` has: level, full tiles, width of the partial one."""
    yield ENTRIES, size // WIDTH, size % WIDTH
    level, hashes = 0, size
    while hashes:
        yield level, hashes // WIDTH, hashes % WIDTH
        level, hashes = level + 1, hashes // WIDTH


def pack(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle (section "Log entries")."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def unpack(bundle: bytes) -> list[bytes]:
    """Read an entry bundle.

    Raises:
        ValueError: it ends within an entry.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2])
        if end > len(bundle) or at + 2 > len(bundle):
            raise ValueError(f"the bundle ends within its entry {len(entries)}")
        entries.append(bundle[at + 2 : end])
        at = end
    return entries


def entries(directory: Path) -> Iterator[bytes]:
    """Yield all entries of a log on disk, as they are there: nothing is verified.

    Raises:
        ValueError: a bundle is damaged.
        OSError: there is no entry, or a bundle cannot be read.
    """
    tile = Tile(ENTRIES, 0)
    while (directory / tile.path).exists():
        yield from unpack((directory / tile.path).read_bytes())
        tile = Tile(ENTRIES, tile.index + 1)
    partial = (directory / tile.path).with_name(f"{Path(tile.path).name}.p")
    widths = [int(file.name) for file in partial.glob("*") if file.name.isdecimal()]
    if widths:
        yield from unpack((partial / str(max(widths))).read_bytes())
    elif tile.index == 0:
        raise FileNotFoundError(errno.ENOENT, "has no entries of a log", str(directory))


def split(tile: bytes) -> list[bytes]:
    """Return a tile's hashes."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def write(files: Mapping[Path, bytes]) -> None:
    """Replace files, each so that after a crash it is either the old or the new one.

    All are on their way to the disk before the first is waited for, so that most share its
    sync: half of the CPU time of one after the other.
    """
    with ExitStack() as stack:
        written = []
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(_temporary(path).open("wb"))
            file.write(data)
            file.flush()
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # begins to write it
            written.append(file)
        for file in written:
            os.fsync(file.fileno())
    for path in files:
        _temporary(path).replace(path)
    for directory in {path.parent for path in files}:
        _sync_directory(directory)


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + TEMPORARY)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Tiles:
    """Appends entries to the tiles in a directory.

    Keeps in memory only the partial tile of each level: the tree's right edge.
    """

    def __init__(self, directory: Path, size: int = 0) -> None:
        """Continue a log of ``size`` entries.

        Raises:
            OSError: a tile of the right edge cannot be read.
            ValueError: a tile of the right edge is damaged.
        """
        self._directory = directory
        self.size = size
        self._entries: list[bytes] = []
        self._levels: list[list[bytes]] = []
        for level, full, width in shape(size):
            data = self._read(Tile(level, full, width)) if width else b""
            if level == ENTRIES:
                self._entries = unpack(data)
            else:
                self._levels.append(split(data))

    def _read(self, tile: Tile) -> bytes:
        return (self._directory / tile.path).read_bytes()

    def append(self, entries: Sequence[bytes]) -> None:
        """Add entries; tiles that become full are written before it returns."""
        full: dict[Tile, bytes] = {}
        at = 0
        while at < len(entries):
            part = entries[at : at + WIDTH - len(self._entries)]
            at += len(part)
            self.size += len(part)
            self._entries += part
            self._add(0, [leaf_hash(entry) for entry in part], full)
            if len(self._entries) == WIDTH:
                full[Tile(ENTRIES, self.size // WIDTH - 1)] = pack(self._entries)
                self._entries = []
            if len(full) >= AT_ONCE:
                self._write(full)
                full.clear()
        self._write(full)

    def _add(self, level: int, nodes: list[bytes], full: dict[Tile, bytes]) -> None:
        """Add hashes, with which a level's tile is full at most."""
        if level == len(self._levels):
            self._levels.append([])
        hashes = self._levels[level]
        hashes += nodes
        if len(hashes) == WIDTH:
            full[Tile(level, self.size // WIDTH ** (level + 1) - 1)] = b"".join(hashes)
            self._levels[level] = []
            self._add(level + 1, [root_of(hashes)], full)

    def flush(self) -> None:
        """Write the partial tiles, so that the tree can be read up to its size."""
        partial = {}
        for level, full, width in shape(self.size):
            if width:
                edge = self._entries if level == ENTRIES else self._levels[level]
                data = pack(edge) if level == ENTRIES else b"".join(edge)
                partial[Tile(level, full, width)] = data
        self._write(partial)

    def _write(self, tiles: Mapping[Tile, bytes]) -> None:
        write({self._directory / tile.path: data for tile, data in tiles.items()})

    def root(self) -> bytes:
        """Return the root hash of all entries so far."""
        return edge_root(self.size, self._levels)


def edge_root(size: int, levels: Sequence[Sequence[bytes]]) -> bytes:
    """Return the root of a tree from the partial tile of each level, lowest first.

    Raises:
        ValueError: the tiles are not as wide as the size asks for.
    """
    peaks = [peak for hashes in reversed(levels) for peak in _peaks(hashes)]
    return Tree(size, peaks).root()


def _peaks(hashes: Sequence[bytes]) -> list[bytes]:
    tree = Tree()
    for node in hashes:
        tree.append(node)
    return tree.peaks
