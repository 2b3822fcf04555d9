"""The layout of C2SP tlog-tiles, written and continued."""

from pathlib import Path

import pytest

from signer.audit.merkle import leaf_hash, root_of
from signer.audit.tiles import ENTRIES, Tile, Tiles, pack, shape, unpack, write

PATHS = [
    (Tile(0, 0), "tile/0/000"),
    (Tile(0, 0, 1), "tile/0/000.p/1"),
    (Tile(ENTRIES, 7, 255), "tile/entries/007.p/255"),
    (Tile(1, 999), "tile/1/999"),
    (Tile(3, 1000, 16), "tile/3/x001/000.p/16"),
    (Tile(ENTRIES, 1_234_067), "tile/entries/x001/x234/067"),  # the specification's example
]


def entries(size: int) -> list[bytes]:
    """Return entries of differing lengths."""
    return [b"%d" % index * (index % 5) for index in range(size)]


@pytest.mark.parametrize(("tile", "path"), PATHS)
def test_paths(tile: Tile, path: str) -> None:
    """A tile's path is the specified one and is read back."""
    assert tile.path == path
    assert Tile.from_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/x000/001",  # index with a superfluous group
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/00/000",
        "tile/0/000.new",
        "tile/other/000",
        "checkpoint",
    ],
)
def test_other_paths(path: str) -> None:
    """Anything but the canonical path of a tile names none."""
    assert Tile.from_path(path) is None


def test_shape_of_a_tree() -> None:
    """A tree of 70,000 entries has the levels that the specification lists for it."""
    assert list(shape(70_000)) == [(ENTRIES, 273, 112), (0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(shape(0)) == [(ENTRIES, 0, 0)]


def test_bundles() -> None:
    """Entries come back from a bundle, and a cut bundle is refused."""
    assert pack([b"", b"ab"]) == b"\x00\x00\x00\x02ab"
    assert unpack(b"\x00\x00\x00\x02ab") == [b"", b"ab"]
    for cut in (1, 3, 4, 5):
        with pytest.raises(ValueError, match="ends within its entry"):
            unpack(b"\x00\x00\x00\x02ab"[:cut])


def test_growing_in_steps(tmp_path: Path) -> None:
    """However a log grew and restarted, its tiles hold its entries and their root."""
    bodies = entries(70_000)
    size = 0
    for step in (0, 1, 254, 1, 1, 65_000, 278, 1, 400):
        tiles = Tiles(tmp_path, size)
        tiles.append(bodies[size : size + step])
        tiles.flush()
        size += step
        assert tiles.size == size
        assert tiles.root() == Tiles(tmp_path, size).root()
        assert tiles.root() == root_of(map(leaf_hash, bodies[:size]))
    assert size > 256**2 - 1
    assert (tmp_path / "tile/2/000.p/1").stat().st_size == 32
    assert unpack((tmp_path / "tile/entries/003").read_bytes()) == bodies[768:1024]


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    """Writing leaves the new content and nothing temporary."""
    for data in (b"old", b"new"):
        write({tmp_path / "a" / "checkpoint": data})
    assert [path.read_bytes() for path in (tmp_path / "a").iterdir()] == [b"new"]


def test_no_file_is_replaced_before_all_are_written(tmp_path: Path) -> None:
    """A disk that fails at the last of several files leaves each as it was."""
    paths = [tmp_path / name / "file" for name in "abc"]
    write(dict.fromkeys(paths, b"old"))
    paths[-1].with_name("file.new").mkdir()  # where the new content would go first
    with pytest.raises(IsADirectoryError):
        write(dict.fromkeys(paths, b"new"))
    assert [path.read_bytes() for path in paths] == [b"old"] * 3
