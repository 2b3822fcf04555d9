"""Publishing: what is on disk is the ledger's log, whatever happens in between."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from signer.audit.note import Checkpoint, Verifier, open_note
from signer.audit.publisher import LogMismatchError, Pace, Publisher
from signer.audit.tiles import unpack
from signer.errors import HsmUnavailableError
from signer.model import Granted
from tests.support import leaves
from tests.support.ledgers import Bench, one, pay
from tests.support.logs import VERIFIER, Published

SIZES = [2, 3, 255, 256, 257, 512, 700, 5000]


def files(directory: Path) -> set[str]:
    """Return the paths of all files."""
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix() for path in paths}


def tamper(published: Published, change: Callable[[dict[int, bytes]], object]) -> None:
    """Change the leaves in the ledger's file, which nobody has open meanwhile."""
    published.close()
    leaves.edit(published.bench.path, change)
    published.ledger = published.bench.open()


def with_a_blank(index: int) -> Callable[[dict[int, bytes]], object]:
    """Return a change of one leaf, which means the same and is another one."""
    return lambda found: found.update({index: found[index] + b" "})


def test_publishing_in_steps(published: Published) -> None:
    """Each checkpoint is the ledger's head, and the directory verifies after each."""
    publisher = published.publisher()
    assert publisher.newest() is None
    for size in SIZES:
        published.grow(size)
        assert publisher.publish() == size
        newest = publisher.newest()
        assert newest is not None
        head = Checkpoint.from_text(open_note(newest[1].encode(), VERIFIER))
        assert (newest[0], head.size, head.root) == (size, *published.ledger.head())
        assert published.verify().head == head
    bundles = sorted((published.directory / "tile/entries").glob("0??"))
    leaves = [body for _, body in published.ledger.leaves(0, 256 * len(bundles))]
    assert [entry for bundle in bundles for entry in unpack(bundle.read_bytes())] == leaves


def test_a_restart_continues(published: Published) -> None:
    """A new publisher goes on where the last one was, and knows its checkpoint."""
    for size in SIZES:
        published.grow(size)
        published.publisher().publish()
        assert published.verify().head.size == size
    newest = published.publisher().newest()
    assert newest is not None
    assert newest[0] == SIZES[-1]


def test_old_partial_tiles_go(published: Published) -> None:
    """Partial tiles of the last two checkpoints stay for readers, earlier ones are removed."""
    publisher = published.publisher()
    for size in (10, 20, 30, 600):
        published.grow(size)
        publisher.publish()
    assert files(published.directory) == {
        "checkpoint",
        *(f"tile/{level}/{name}" for level in ("entries", "0") for name in ("000", "001")),
        *(
            f"tile/{level}/{name}"
            for level in ("entries", "0")
            for name in ("000.p/30", "002.p/88")
        ),
        "tile/1/000.p/2",
    }
    published.grow(601)
    publisher.publish()
    assert not (published.directory / "tile/0/000.p").exists()


def test_a_token_that_is_away(published: Published) -> None:
    """Without a signature nothing is published; afterwards nothing is missing."""
    publisher = published.publisher()
    published.grow(300)
    publisher.publish()
    published.down = True
    published.grow(600)
    with pytest.raises(HsmUnavailableError):
        publisher.publish()
    assert published.verify().head.size == 300
    assert "tile/0/001" in published.verify().ignored
    published.down = False
    published.grow(700)
    publisher.publish()
    assert published.verify().head.size == 700


def test_a_directory_that_cannot_be_written(published: Published) -> None:
    """What failed half-way is done again from what is on disk."""
    publisher = published.publisher()
    published.grow(600)
    obstacle = published.directory / "tile" / "0"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_bytes(b"")
    with pytest.raises(FileExistsError):
        publisher.publish()
    obstacle.unlink()
    publisher.publish()
    assert published.verify().head.size == 600


def test_an_interrupted_publication_is_resumed(published: Published) -> None:
    """Tiles written without their checkpoint do no harm."""
    published.grow(300)
    published.publisher().publish()
    published.down = True
    published.grow(600)
    with pytest.raises(HsmUnavailableError):
        published.publisher().publish()
    published.down = False
    published.grow(601)
    published.publisher().publish()
    assert published.verify().head.size == 601


def test_a_changed_leaf_stops_publishing(published: Published) -> None:
    """A ledger whose new leaves do not hash to its head is not published."""
    publisher = published.publisher()
    published.grow(10)
    publisher.publish()
    published.grow(20)
    tamper(published, with_a_blank(15))
    with pytest.raises(LogMismatchError, match="do not continue the 10 published ones"):
        published.publisher().publish()
    assert published.verify().head.size == 10


def test_a_missing_leaf_stops_publishing(published: Published) -> None:
    """A gap in the ledger is not published over."""
    published.grow(20)
    tamper(published, lambda found: found.pop(15))
    with pytest.raises(LogMismatchError, match="gap after leaf 0"):
        published.publisher().publish()
    tamper(published, lambda found: [found.pop(index, None) for index in range(30)])
    with pytest.raises(LogMismatchError, match="gap after leaf 0"):
        published.publisher().publish()


@pytest.mark.parametrize("size", [5, 30])
def test_another_ledger_stops_publishing(published: Published, size: int) -> None:
    """A ledger that was reset or replaced does not continue the published log."""
    published.grow(10)
    published.publisher().publish()
    published.close()
    published.bench = Bench(published.base / "other.db")
    published.ledger = published.bench.open()
    published.bench.clock.now += 1
    published.grow(size)
    with pytest.raises(LogMismatchError, match="do not continue the 10 published ones"):
        published.publisher().publish()


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("checkpoint", b"x", "signed note"),
        ("tile/0/000.p/10", b"\x00" * 320, "does not fit"),
        ("tile/0/000.p/10", b"\x00" * 32, "has 2 peaks"),
        ("tile/entries/000.p/10", b"\x00", "ends within"),
    ],
)
def test_damage_on_disk_stops_publishing(
    published: Published, file: str, change: bytes, message: str
) -> None:
    """A publisher does not continue from a checkpoint that its tiles do not fit."""
    published.grow(10)
    published.publisher().publish()
    (published.directory / file).write_bytes(change)
    with pytest.raises(LogMismatchError, match=message):
        published.publisher()


def test_another_origin_stops_publishing(published: Published) -> None:
    """A checkpoint of another log is not continued, even when the same key signed it."""
    published.publisher().publish()
    other = Verifier("other.example/log", VERIFIER.public_key)
    with pytest.raises(LogMismatchError, match=r"no signature by other\.example/log"):
        Publisher(published.ledger, published.sign, published.directory, other)


def eventually(publisher: Publisher, size: int) -> None:
    """Wait until so much is published."""
    end = time.monotonic() + 10
    while (publisher.newest() or (0, ""))[0] < size:
        assert time.monotonic() < end, publisher.failure
        time.sleep(0.01)


def test_publishing_by_itself(published: Published) -> None:
    """Within a second new leaves are published; when idle, the checkpoint is signed again."""
    publisher = published.publisher(Pace(interval_seconds=0.1, idle_seconds=0.2))
    publisher.start()
    published.grow(5)
    eventually(publisher, 5)
    signed = published.signed
    while published.signed < signed + 2:
        time.sleep(0.01)
    published.down = True
    published.grow(6)
    time.sleep(0.3)
    published.down = False
    eventually(publisher, 6)
    assert publisher.failure is None
    publisher.close()


def test_a_burst_is_published_at_once(published: Published) -> None:
    """4,096 leaves do not wait for the second to end, and closing publishes the rest."""
    publisher = published.publisher()
    publisher.start()
    published.grow(4096)
    eventually(publisher, 4096)
    assert isinstance(one(published.ledger, pay()), Granted)
    publisher.close()
    assert published.verify().head.size == 4097
    assert published.publisher().newest() == publisher.newest()


@pytest.mark.parametrize("running", [True, False])
def test_a_mismatch_is_told(published: Published, *, running: bool) -> None:
    """A publisher that found a mismatch says so and has stopped for good."""
    published.publisher().publish()
    published.grow(8)
    tamper(published, with_a_blank(5))
    publisher = published.publisher()
    publisher.start() if running else publisher._stopping.set()
    if not running:
        publisher.start()
    publisher._thread.join(10)
    assert not publisher._thread.is_alive()
    assert publisher.failure is not None
    assert "do not continue the 2 published ones" in publisher.failure
    publisher.close()
    assert published.verify().head.size == 2


def test_a_failing_end_does_not_hold_up_the_shutdown(published: Published) -> None:
    """When the token is away at the end the publisher closes nevertheless."""
    publisher = published.publisher()
    published.down = True
    publisher.start()
    publisher.close()
    assert publisher.newest() is None
    publisher.close()


def test_a_failed_ledger_publishes_nothing(published: Published) -> None:
    """A ledger that has stopped approves no checkpoint."""
    publisher = published.publisher()
    publisher.publish()
    published.ledger._writer.stopped = "the disk broke"
    assert publisher.publish() == 2
    assert published.signed == 1
