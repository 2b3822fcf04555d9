"""When the ledger cannot write: nothing is released, and after damage nothing ever again."""

import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from signer.approval import ApprovalInvalidError
from signer.errors import LedgerUnavailableError
from signer.ledger import Ledger
from signer.ledger.sqlite import SqliteStore
from signer.model import Granted, Outcome, Signed
from tests.support.ledgers import (
    OFFICER,
    POLICY,
    Bench,
    code,
    freeze,
    granted,
    one,
    pay,
    signed,
    spent,
)


def connection(ledger: Ledger) -> sqlite3.Connection:
    """Return the writing connection."""
    store = ledger._writer._memory.store
    assert isinstance(store, SqliteStore)
    return store._connection


@contextmanager
def busy(bench: Bench, ledger: Ledger) -> Iterator[None]:
    """Let another connection hold the file, so that transactions fail for a while."""
    connection(ledger).execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(ledger: Ledger) -> Iterator[None]:
    """Let the database be full."""
    connection(ledger).execute("PRAGMA max_page_count = 1")
    yield


@contextmanager
def broken(bench: Bench) -> Iterator[None]:
    """Let every write beyond the files' present sizes fail, as on a broken disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(path.stat().st_size for path in bench.path.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_failed_transaction_releases_nothing(bench: Bench, ledger: Ledger) -> None:
    """A busy file refuses the batch as a whole, without a trace, and the next one works."""
    granted(ledger, pay(100, id="before"))
    issued = set(bench.mint._outstanding)
    with busy(bench, ledger):
        with pytest.raises(LedgerUnavailableError, match="could not commit"):
            ledger.decide([pay(1, id="a"), pay(2, id="b")])
        with pytest.raises(LedgerUnavailableError):
            freeze(ledger, "all", "", OFFICER)
    assert bench.mint._outstanding == issued
    assert not ledger.failed
    assert spent(ledger) == 100
    granted(ledger, pay(3, id="a"))


@pytest.mark.parametrize(
    "attempt",
    [
        lambda ledger: ledger.decide([pay(7, id="b")]),
        lambda ledger: ledger.activate_policy(POLICY.replace('"100"', '"50"'), OFFICER),
        lambda ledger: freeze(ledger, "destination", "bob", OFFICER),
    ],
    ids=["decide", "activate", "freeze"],
)
def test_caches_do_not_outlive_a_failure(
    bench: Bench, ledger: Ledger, attempt: Callable[[Ledger], object]
) -> None:
    """What a transaction changed in memory is gone when it was not committed."""
    granted(ledger, pay(100, id="a"))
    issued = set(bench.mint._outstanding)

    def failing() -> None:
        raise RuntimeError

    store = connection(ledger)
    store.create_function("fail", 0, failing)
    store.execute("CREATE TEMP TRIGGER stop BEFORE UPDATE ON state BEGIN SELECT fail(); END")
    with pytest.raises(LedgerUnavailableError):
        attempt(ledger)
    store.execute("DROP TRIGGER stop")
    assert bench.mint._outstanding == issued
    other = bench.open()  # takes the version and the sequence that did not come about
    assert other.activate_policy(POLICY.replace('"100"', '"75"'), OFFICER) == 2
    freeze(other, "destination", "carol", OFFICER)
    granted(ledger, pay(7500, id="c"))
    assert code(one(ledger, pay(to="carol", id="d"))) == "FROZEN"
    assert spent(ledger) == 7600


def test_outcomes_wait_for_a_ledger_that_works(bench: Bench, ledger: Ledger) -> None:
    """An outcome whose transaction failed is recorded by a later one."""
    verdict = granted(ledger, pay())
    with busy(bench, ledger):
        ledger.settle([signed(verdict)])
        ledger.flush()
        with pytest.raises(LedgerUnavailableError):
            one(ledger, pay())
    assert isinstance(one(ledger, pay()), Signed)


def test_a_flush_waits_for_what_another_thread_has_taken(ledger: Ledger) -> None:
    """Outcomes in a transaction that is under way are durable when the flush returns."""
    verdict = granted(ledger, pay())
    size = ledger.size()
    begun, done = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        begun.set()
        done.wait(5)

    ledger.settle([signed(verdict)])
    threading.Thread(target=ledger._writer.submit, args=(hold, 0)).start()
    assert begun.wait(5)
    flushing = threading.Thread(target=ledger.flush)
    flushing.start()
    flushing.join(0.2)
    assert flushing.is_alive()
    done.set()
    flushing.join(5)
    assert ledger.size() == size + 1


def test_outcomes_are_tried_again(bench: Bench, ledger: Ledger) -> None:
    """Nobody has to come by: what could not be recorded is recorded when the file is free."""
    verdict = granted(ledger, pay())
    size = ledger.size()
    with busy(bench, ledger):
        ledger.settle([signed(verdict)])
        threading.Event().wait(0.2)
        assert ledger.size() == size
    assert ledger.wait(size, 5.0) == size + 1


@pytest.mark.parametrize("how", ["full", "broken"])
def test_an_output_error_stops_for_good(bench: Bench, ledger: Ledger, how: str) -> None:
    """After the disk failed nothing is decided, and no approval that is out can be used."""
    before = granted(ledger, pay(id="before"))
    with full(ledger) if how == "full" else broken(bench):
        for number in range(200):  # until the file has to grow
            try:
                one(ledger, pay(1, id=f"r-{number}"))
            except LedgerUnavailableError:
                break
    assert ledger.failed
    with pytest.raises(ApprovalInvalidError):
        bench.mint.redeem(before.approval)
    assert not bench.mint._outstanding
    with pytest.raises(LedgerUnavailableError, match="has stopped"):
        one(ledger, pay(id="after"))
    assert ledger.approve_checkpoint() is None
    ledger.settle([Outcome(before.approval, None)])
    ledger.flush()
    bench.close()
    reopened = bench.open()
    granted(reopened, pay(id="after"))


def test_a_damaged_file_stops_for_good(bench: Bench, ledger: Ledger) -> None:
    """Damage that SQLite notices ends this process's signing."""
    for number in range(50):
        granted(ledger, pay(1, id=f"r-{number}"))
    bench.close()
    ledger = bench.open()
    with bench.path.open("r+b") as file:
        size = bench.path.stat().st_size
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(LedgerUnavailableError):
        ledger.decide([pay(1, id=f"r-{number}") for number in range(50)])
    assert ledger.failed
    with pytest.raises(LedgerUnavailableError, match="cannot be read"):
        ledger.leaves(0, 100)


def test_leaves_that_are_damaged_are_not_read(bench: Bench, ledger: Ledger) -> None:
    """Damage that SQLite does not notice is no traceback, and nothing is made of the rest."""
    granted(ledger, pay())
    connection(ledger).execute("UPDATE bundles SET entries = x'00' WHERE first = 1")
    with pytest.raises(LedgerUnavailableError, match="leaves from 1 on are damaged"):
        ledger.leaves(0, 100)


def test_a_state_that_moved_is_noticed(bench: Bench, ledger: Ledger) -> None:
    """The head is written only over the head that was read."""
    store = connection(ledger)
    store.execute(
        "CREATE TEMP TRIGGER moved BEFORE INSERT ON bundles"
        " BEGIN UPDATE state SET seq = seq + 1; END"
    )
    with pytest.raises(LedgerUnavailableError, match="changed within"):
        one(ledger, pay())
    assert ledger.failed
    assert not bench.mint._outstanding


def test_a_closed_ledger_refuses(bench: Bench, ledger: Ledger) -> None:
    """After closing, every call is refused in the same way."""
    bench.close()
    with pytest.raises(LedgerUnavailableError, match="it is closed"):
        one(ledger, pay())
    with pytest.raises(LedgerUnavailableError, match="cannot be read"):
        ledger.size()


def test_one_bad_request_does_not_take_others_along(bench: Bench, ledger: Ledger) -> None:
    """A request that cannot be decided fails alone; those that shared its batch are decided."""
    poison = pay(-1, id="poison")  # no decoder gives that: the engine raises
    ready = threading.Barrier(9)
    results: dict[str, object] = {}

    def work(name: str) -> None:
        ready.wait()
        try:
            results[name] = one(ledger, poison if name == "poison" else pay(1, id=name))
        except ValueError as error:
            results[name] = error

    names = ["poison", *(f"r-{number}" for number in range(8))]
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    with _held(ledger):
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(results.pop("poison"), ValueError)
    assert all(isinstance(result, Granted) for result in results.values())
    assert spent(ledger) == 8


@contextmanager
def _held(ledger: Ledger) -> Iterator[None]:
    """Keep a commit under way, so that whoever comes meanwhile shares the next one."""
    started, release = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        started.set()
        release.wait(10)

    holder = threading.Thread(target=ledger._writer.submit, args=(hold,))
    holder.start()
    started.wait(10)
    yield
    threading.Timer(0.1, release.set).start()
