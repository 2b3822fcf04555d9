"""Many at once: threads, processes, and processes that die."""

import multiprocessing
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from signer.ledger import Ledger
from signer.ledger.ledger import wall_clock
from signer.ledger.verify import verify_ledger
from signer.model import Conflict, Granted, Signed
from tests.support import ledger_processes
from tests.support.ledgers import HOUR, SECOND, Bench, granted, one, pay, spent

ROUNDS = int(os.environ.get("SIGNGATE_ROUNDS", "20"))
KILLS = int(os.environ.get("SIGNGATE_KILLS", "3"))
THREADS = 64
TIMEOUT = 7200


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_threads_at_the_end_of_a_window(bench: Bench, ledger: Ledger) -> None:
    """64 threads at 99 % of a window take exactly what is left, every time."""
    ready = threading.Barrier(THREADS)

    def race(name: str) -> bool:
        ready.wait()
        return isinstance(one(ledger, pay(100, id=name)), Granted)

    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(ROUNDS):
            for part in range(10):
                granted(ledger, pay(9900, id=f"fill-{number}-{part}"))
            names = [f"race-{number}-{thread}" for thread in range(THREADS)]
            assert sum(pool.map(race, names)) == 10
            assert spent(ledger) == 100_000
            bench.clock.now += HOUR


def test_threads_share_transactions(bench: Bench, ledger: Ledger) -> None:
    """Requests that wait together are committed together."""
    store = ledger._writer._memory.store
    before = store.state().seq
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda number: granted(ledger, pay(1, id=f"r-{number}")), range(1000)))
    assert store.state().seq - before < 500
    assert spent(ledger) == 1000


def test_one_id_from_many_threads_is_granted_once(ledger: Ledger) -> None:
    """However often a request is sent at once, one approval exists."""
    with ThreadPoolExecutor(THREADS) as pool:
        verdicts = list(pool.map(lambda _: one(ledger, pay(5)), range(THREADS)))
    assert sum(isinstance(verdict, Granted) for verdict in verdicts) == 1
    assert sum(isinstance(verdict, Conflict) for verdict in verdicts) == THREADS - 1
    assert spent(ledger) == 5


@pytest.mark.parametrize("amount", [9, 700])
def test_processes_at_the_end_of_a_window(bench: Bench, amount: int) -> None:
    """Two processes that hammer one window never take a unit too much, and leave no room."""
    bench.open(clock=wall_clock)
    bench.close()
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    pipes, processes = [], []
    for name in ("one", "two"):
        receiver, sender = context.Pipe(duplex=False)
        arguments = (bench.path, name, amount, start, sender)
        process = context.Process(target=ledger_processes.spend, args=arguments)
        process.start()
        pipes.append(receiver)
        processes.append(process)
    total = sum(pipe.recv() for pipe in pipes)
    for process in processes:
        process.join(30)
    assert total == 100_000 // amount * amount
    assert spent(bench.open(clock=wall_clock)) == total
    bench.close()
    verify_ledger(bench.path)


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_a_kill_loses_nothing_that_was_released(bench: Bench) -> None:
    """After SIGKILL at any moment every release is in the log, charged, and bound to its id."""
    bench.open(clock=wall_clock)
    bench.close()
    chance = random.Random(7)
    released: dict[str, int] = {}
    for kill in range(KILLS):
        lines = _killed_after(bench, f"run-{kill}", chance.randrange(20, 300))
        for line in lines:
            index, name = line.split()
            released[name] = int(index)
        size, _ = verify_ledger(bench.path)
        assert size > max(released.values())
        ledger = bench.open(clock=wall_clock)
        assert spent(ledger) >= len(released)
        for name in chance.sample(sorted(released), 10):
            leaf = ledger.leaves(released[name], 1)[0][1]
            assert b'"outcome":"granted","request_id":"%s"' % name.encode() in leaf
            assert isinstance(one(ledger, pay(2, id=name)), Conflict)
            before = spent(ledger)
            again = one(ledger, pay(1, id=name))  # granted anew where its lease is over
            assert isinstance(again, Conflict | Signed | Granted)
            assert spent(ledger) == before
        bench.close()


def _killed_after(bench: Bench, name: str, releases: int) -> list[str]:
    command = [sys.executable, "-m", "tests.support.ledger_processes", str(bench.path), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(releases)]
        process.kill()
        lines += process.stdout.readlines()
    assert all(lines), "the process ended by itself"
    return [line for line in lines if line.endswith("\n")]


def test_a_crash_before_the_outcome_is_resumed(bench: Bench) -> None:
    """What a dead process had reserved is signed by another after the lease, uncharged."""
    granted(bench.open(), pay(100))
    bench.opened.clear()  # nobody closes it, as after a kill
    bench.clock.now += 10 * SECOND
    survivor = bench.open()
    granted(survivor, pay(100))
    assert spent(survivor) == 100
