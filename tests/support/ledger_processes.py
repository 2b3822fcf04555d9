"""What other processes do to a ledger in tests; spawned, so it has to be importable."""

import itertools
import os
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from signer.errors import SigngateError
from signer.ledger import Ledger
from signer.ledger.ledger import wall_clock
from signer.model import Granted, Refused
from tests.support.ledgers import Bench, one, pay, signed
from tests.support.officers import office

THREADS = 8


def spend(path: Path, name: str, amount: int, start: Barrier, result: Connection) -> None:
    """Spend until the window is used up, from several threads; report how much it was."""
    bench = Bench(path)
    ledger = bench.open(clock=wall_clock)
    sums = [0] * THREADS

    def run(thread: int) -> None:
        for number in itertools.count():
            if not isinstance(one(ledger, pay(amount, id=f"{name}-{thread}-{number}")), Granted):
                return
            sums[thread] += amount

    start.wait()
    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.close()
    result.send(sum(sums))


def pay_on(path: Path, name: str, start: Barrier, stop: Event) -> None:
    """Pay a cent at a time until stopped."""
    bench = Bench(path)
    ledger = bench.open(clock=wall_clock)
    start.wait()
    for number in itertools.count():
        if stop.is_set():
            break
        one(ledger, pay(1, id=f"{name}-{number}"))
    bench.close()


def activate(path: Path, number: int, by: str) -> str:
    """Put a proposal in force; return what became of it."""
    bench = Bench(path)
    try:
        office(bench.open(clock=wall_clock), root=None).activate(number, by)
    except SigngateError as error:
        return error.code.value
    finally:
        bench.close()
    return "activated"


def answer(path: Path, policy: str, calls: Connection) -> None:
    """Open the ledger and decide each request that comes; None ends it.

    Tells a refusal's code and hold, or that it was granted.
    """
    bench = Bench(path)
    ledger = bench.open(policy, clock=wall_clock)
    calls.send("ready")
    while (request := calls.recv()) is not None:
        verdict = one(ledger, request)
        if isinstance(verdict, Refused):
            calls.send((verdict.reasons[0].code, verdict.hold))
        else:
            calls.send(("granted", None))
    bench.close()


def release(path: Path, name: str) -> None:
    """Decide, release and settle until killed; what is released goes to standard output."""
    ledger = Bench(path).open(clock=wall_clock)
    threads = [
        threading.Thread(target=_release, args=(ledger, f"{name}-{thread}"))
        for thread in range(THREADS)
    ]
    for thread in threads:
        thread.start()


def _release(ledger: Ledger, name: str) -> None:
    for number in itertools.count():
        verdict = one(ledger, pay(1, id=f"{name}-{number}"))
        assert isinstance(verdict, Granted)
        os.write(1, f"{verdict.leaf_index} {name}-{number}\n".encode())
        ledger.settle([signed(verdict)])


if __name__ == "__main__":
    release(Path(sys.argv[1]), sys.argv[2])
