"""The write-ahead log: longer than what is in it, so that a commit seldom makes it longer."""

import shutil
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from signer.ledger import Ledger
from signer.ledger.growing import LEAST, Log
from tests.support.ledgers import OFFICER, POLICY, Bench, granted, pay, signed

COMMITS = 200


def log_of(bench: Bench) -> Path:
    """Return the file of a ledger's write-ahead log."""
    return bench.path.with_name(f"{bench.path.name}-wal")


def writes() -> int:
    """Return how many times this process has asked the kernel to write (proc_pid_io(5))."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("syscw"))


def test_few_commits_make_the_log_longer(bench: Bench, ledger: Ledger) -> None:
    """Nearly every transaction is written over bytes that the file had already."""
    sizes = []
    for number in range(COMMITS):
        granted(ledger, pay(1, id=f"r-{number}"))
        sizes.append(log_of(bench).stat().st_size)
    assert len(set(sizes)) <= COMMITS / 20
    assert all(later >= earlier for earlier, later in pairwise(sizes))


def test_what_follows_the_last_transaction_is_nothing_to_a_reader(
    bench: Bench, ledger: Ledger, tmp_path: Path
) -> None:
    """A ledger that was cut off in the middle of its log has all that was committed."""
    for number in range(3):
        ledger.settle([signed(granted(ledger, pay(id=f"r-{number}")))])
    ledger.flush()
    assert log_of(bench).read_bytes().endswith(bytes(LEAST // 2))
    copy = Bench(tmp_path / "copy.db")
    for source, target in ((bench.path, copy.path), (log_of(bench), log_of(copy))):
        shutil.copy(source, target)
    before = ledger.head()
    assert copy.open(policy=None).leaves(0, before[0]) == ledger.leaves(0, before[0])
    copy.close()


def test_the_log_is_not_made_longer_than_a_checkpoint_lets_it_become(tmp_path: Path) -> None:
    """Zeros are added up to the size that the log has at most, and no further."""
    file = tmp_path / "ledger.db-wal"
    file.touch()
    log = Log(tmp_path / "ledger.db", full=LEAST)
    for _ in range(3):
        with log, file.open("ab") as written:
            written.write(b"\1" * 100)
    log.close()
    assert file.stat().st_size == LEAST + 200  # two more commits were as long as they were


def test_what_is_added_is_written_piece_by_piece(tmp_path: Path) -> None:
    """The page cache keeps together what one write makes, and every commit there pays for it."""
    file = tmp_path / "ledger.db-wal"
    file.touch()
    log = Log(tmp_path / "ledger.db", full=LEAST)
    before = writes()
    with log, file.open("ab") as written:
        written.write(b"\1" * 100)
    made = writes() - before
    log.close()
    assert file.stat().st_size == LEAST
    assert made >= 1 + LEAST // (64 * 1024)


def test_a_commit_that_failed_makes_nothing_longer(tmp_path: Path) -> None:
    """What was not committed needs no room."""
    file = tmp_path / "ledger.db-wal"
    file.touch()
    log = Log(tmp_path / "ledger.db", full=LEAST)

    def commit() -> None:
        with log:
            file.write_bytes(b"\1" * 100)
            file.touch(exist_ok=False)

    with pytest.raises(FileExistsError):
        commit()
    log.close()
    assert file.stat().st_size == 100


def test_closing_twice_closes_nothing_of_others(tmp_path: Path) -> None:
    """Whoever got the descriptor's number after the first time keeps its file."""
    file = tmp_path / "ledger.db-wal"
    file.touch()
    log = Log(tmp_path / "ledger.db", full=LEAST)
    log.close()
    with file.open("rb") as others:
        log.close()
        assert others.read() == b""


def test_processes_that_write_in_turn_keep_each_others_transactions(bench: Bench) -> None:
    """Zeros never meet what another one writes: the log of a busy ledger stays whole."""
    ledgers = [bench.open(), bench.open()]

    def work(place: int) -> None:
        for number in range(60):
            granted(ledgers[place], pay(1, id=f"{place}-{number}"))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = bench.open()
    again.bootstrap_policy(POLICY, OFFICER)
    size = again.size()
    assert [at for at, _ in again.leaves(0, size)] == list(range(size))
    assert size >= 120
