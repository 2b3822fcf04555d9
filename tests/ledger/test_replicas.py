"""Several processes on one ledger: a stop holds in all of them at once, and a hold is one."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import pytest

from policy.freezes import Freeze
from signer.ledger import Ledger
from signer.ledger.ledger import wall_clock
from signer.ledger.stops import freezing, slowing
from signer.model import Caller, SignRequest
from tests.support import ledger_processes
from tests.support.ledgers import OFFICER, OTHER_OFFICER, POLICY, ROOT, Bench, pay

A, B = (Caller(f"spiffe://firm.example/officer/{name}", "", "") for name in "ab")
APPROVAL = f'approval = {{ above = "50", quorum = 2, approvers = ["{A.san}", "{B.san}"] }}'
HELD = POLICY.replace('destinations = ["@friends"]', f'destinations = ["@friends"]\n{APPROVAL}')
NUMBER = 3


class Process:
    """Another process that decides what it is sent."""

    def __init__(self, calls: Connection) -> None:
        self._calls = calls

    def decide(self, request: SignRequest) -> tuple[str, str | None]:
        """Return the code and the hold of a refusal, or that it was granted."""
        self._calls.send(request)
        answer: tuple[str, str | None] = self._calls.recv()
        return answer


@contextmanager
def started(bench: Bench) -> Iterator[list[Process]]:
    """Start processes on the bench's ledger."""
    context = multiprocessing.get_context("spawn")
    pipes, children = [], []
    for _ in range(NUMBER):
        mine, theirs = context.Pipe()
        arguments = (bench.path, HELD, theirs)
        child: Any = context.Process(target=ledger_processes.answer, args=arguments)
        child.start()
        pipes.append(mine)
        children.append(child)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    try:
        yield [Process(pipe) for pipe in pipes]
    finally:
        for pipe, child in zip(pipes, children, strict=True):
            pipe.send(None)
            child.join(30)


@pytest.fixture
def ledger(bench: Bench) -> Ledger:
    """The control port's view of the ledger, on the real clock."""
    made = bench.open(HELD, clock=wall_clock)
    made.bootstrap_root(ROOT, "test")
    return made


def test_stops_and_holds_are_the_same_in_every_process(bench: Bench, ledger: Ledger) -> None:
    """One transaction of one process stops the next of all; a hold of one is signed by another."""
    with started(bench) as processes:
        for number, process in enumerate(processes):
            assert process.decide(pay(1, id=f"before-{number}"))[0] == "granted"
        ledger.duty.stop(freezing(Freeze("key", "pay"), "siem.firm.example"))
        for number, process in enumerate(processes):
            assert process.decide(pay(1, id=f"frozen-{number}"))[0] == "FROZEN"
        for officer in (OFFICER, OTHER_OFFICER):
            ledger.duty.end_stop(freezing(Freeze("key", "pay"), officer))
        ledger.duty.stop(slowing(Freeze("all"), len(processes) + 1, OFFICER))
        for number, process in enumerate(processes):
            assert process.decide(pay(1, id=f"slow-{number}"))[0] == "granted"

        first, second, third = processes
        large = pay(5001, id="large")
        code, name = first.decide(large)
        assert code == "APPROVAL_REQUIRED"
        assert second.decide(large) == (code, name)
        number = int(str(name).removeprefix("approvals/"))
        for by in (A, B):
            ledger.duty.approve(number, by, large.payload_sha256)
        assert third.decide(large)[0] == "granted"
        assert first.decide(pay(1, id="over"))[0] == "EMERGENCY_RATE"
        assert second.decide(pay(5001, id="another")) == ("APPROVAL_REQUIRED", None)
