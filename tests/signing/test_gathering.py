"""Requests of several callers in one round: each caller gets its own results, or its own error."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from signer.approval import Approval
from signer.errors import LedgerUnavailableError, RefusedError
from signer.gathering import Gathering, Turn
from signer.ledger import Ledger
from signer.model import Begin, Signed, SignRequest, Verdict
from signer.signing import ALONE, Signing
from tests.support.ledgers import Bench, pay
from tests.support.orders import Order


class Counted:
    """The ledger, and how many requests came to it at a time; the first round is held up."""

    def __init__(self, ledger: Ledger, error: Callable[[int], Exception | None]) -> None:
        self._ledger = ledger
        self._error = error
        self.sizes: list[int] = []
        self.entered, self.release = threading.Semaphore(0), threading.Event()
        self.settle = ledger.settle

    def decide(self, requests: Sequence[SignRequest], begin: Begin | None = None) -> list[Verdict]:
        """Decide for real, unless told to fail for so many requests."""
        self.sizes.append(len(requests))
        self.entered.release()
        assert self.release.wait(10)
        error = self._error(len(requests))
        if error is not None:
            raise error
        return self._ledger.decide(requests, begin)


class Token:
    """Gives each approval a signature of its own."""

    def company(self, _key: str) -> str | None:
        """Gather everything."""
        return "all"

    def begin(self, approvals: Sequence[Approval], deadlines: Sequence[float]) -> Order:
        """Sign with the request's id and its deadline."""
        pairs = zip(approvals, deadlines, strict=True)
        return Order([f"{approval.subject[1]} {deadline}".encode() for approval, deadline in pairs])


def gathered(
    path: Path, number: int, error: Callable[[int], Exception | None]
) -> tuple[list[object], list[int]]:
    """Let two callers in, have so many more wait for them, and return what each was told."""
    bench = Bench(path / "ledger.db")
    counted = Counted(bench.open(), error)
    signing = Signing(counted, Token())

    def ask(place: int) -> object:
        amount = 10_001 if place == 4 else 1  # that is over the limit
        try:
            return signing.sign([pay(amount, id=f"r{place}")], place)[0]
        except Exception as raised:  # noqa: BLE001 - it is what is looked at
            return raised

    with ThreadPoolExecutor(number + 2) as threads:
        first = [threads.submit(ask, place) for place in range(2)]
        for _ in range(2):
            assert counted.entered.acquire(timeout=10)
        others = [threads.submit(ask, place) for place in range(2, number + 2)]
        while len(signing._gatherings["all"]._pending) < number:
            threading.Event().wait(0.001)
        counted.release.set()
        told = [item.result(10) for item in (*first, *others)]
    bench.close()
    return told, counted.sizes


def test_who_waits_goes_together(tmp_path: Path) -> None:
    """Two rounds are under way at once; who waits shares the next one, each with its deadline."""
    told, sizes = gathered(tmp_path, 6, lambda _: None)
    assert sizes[:2] == [1, 1]
    assert sum(sizes) == 8
    assert max(sizes) >= 5
    assert isinstance(told.pop(4), RefusedError)
    signatures = [item.signature for item in told if isinstance(item, Signed)]
    assert signatures == [f"r{place} {place}".encode() for place in (0, 1, 2, 3, 5, 6, 7)]


def test_one_that_cannot_be_decided_spares_the_others(tmp_path: Path) -> None:
    """When deciding several breaks down, each is decided alone."""
    told, _ = gathered(tmp_path, 6, lambda size: RuntimeError("a bug") if size > 1 else None)
    assert [type(item) for item in told] == [*[Signed] * 4, RefusedError, *[Signed] * 3]


def test_without_a_ledger_everybody_is_told(tmp_path: Path) -> None:
    """No ledger, no signature: for nobody in the round."""
    told, sizes = gathered(tmp_path, 6, lambda _: LedgerUnavailableError("gone"))
    assert [type(item) for item in told] == [LedgerUnavailableError] * 8
    assert sum(sizes) == 8


@pytest.mark.parametrize("quick", [True, False])
def test_who_goes_alone(tmp_path: Path, *, quick: bool) -> None:
    """A large batch waits for nobody, nor does a request for a slow token."""
    bench = Bench(tmp_path / "ledger.db")
    counted = Counted(bench.open(), lambda _: None)
    token = Token()
    token.company = lambda _key: "all" if quick else None  # type: ignore[method-assign]  # a stand-in
    signing = Signing(counted, token)
    number = ALONE if quick else 1
    with ThreadPoolExecutor(3) as threads:
        asked = [
            threads.submit(signing.sign, [pay(1, id=f"{n}-{i}") for i in range(number)], 0)
            for n in range(3)
        ]
        for _ in asked:
            assert counted.entered.acquire(timeout=10)
        counted.release.set()
        assert all(len(item.result(10)) == number for item in asked)
    bench.close()


def test_orders_wait_for_no_batches(tmp_path: Path) -> None:
    """While one class has all its rounds under way the other begins, as does a mix of both."""
    bench = Bench(tmp_path / "ledger.db")
    counted, token = Counted(bench.open(), lambda _: None), Token()
    token.company = lambda _key: _key  # type: ignore[method-assign]  # a stand-in
    signing = Signing(counted, token)
    pays = [pay(1, id=f"r{number}") for number in range(4)]
    wallet = pay(1, id="w", key="wallet")
    with ThreadPoolExecutor(5) as threads:
        asked = [threads.submit(signing.sign, [each], 0) for each in pays[:3]]
        while len(signing._gatherings["pay"]._pending) < 1:
            threading.Event().wait(0.001)
        asked += [threads.submit(signing.sign, each, 0) for each in ([wallet], [pays[3], wallet])]
        for _ in range(4):
            assert counted.entered.acquire(timeout=10)
        assert sorted(counted.sizes) == [1, 1, 1, 2]
        counted.release.set()
        assert [len(item.result(10)) for item in asked] == [1, 1, 1, 1, 2]
    bench.close()


@pytest.mark.parametrize("waiting", [[1, 1], [1, 2], [1, 1, 2]])
def test_beside_a_large_round(waiting: list[int]) -> None:
    """Others wait until they are worth a round, or until it ends, however few they are."""
    sizes: list[int] = []
    entered, release = threading.Semaphore(0), threading.Event()

    def work(turns: Sequence[Turn[str]]) -> None:
        sizes.append(sum(turn.size for turn in turns))
        entered.release()
        assert release.wait(10)
        for turn in turns:
            turn.finish()

    gathering: Gathering[Turn[str]] = Gathering(
        work, 8, lambda: LedgerUnavailableError("lost"), leaders=2, large=4
    )
    with ThreadPoolExecutor(4) as threads:
        done = [threads.submit(gathering.submit, Turn(4))]
        assert entered.acquire(timeout=10)
        for number, size in enumerate(waiting, 1):
            done.append(threads.submit(gathering.submit, Turn(size)))
            while len(gathering._pending) < number and len(sizes) == 1:
                threading.Event().wait(0.001)
        assert entered.acquire(timeout=0.05) == (sum(waiting) >= 4)
        release.set()
        for each in done:
            each.result(10)
    assert sizes == [4, sum(waiting)]


def test_a_round_that_breaks_lets_nobody_through() -> None:
    """Turns that the work left unfinished get the error that says so, and the next may lead."""
    turns: list[Turn[str]] = []

    def work(found: Sequence[Turn[str]]) -> None:
        turns.extend(found)

    gathering: Gathering[Turn[str]] = Gathering(work, 4, lambda: LedgerUnavailableError("lost"))
    for _ in range(2):
        turn: Turn[str] = Turn()
        gathering.submit(turn)
        with pytest.raises(LedgerUnavailableError, match="lost"):
            turn.result()
    assert len(turns) == 2
