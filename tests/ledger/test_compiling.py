"""Policies are compiled outside transactions, once, and where it can be foreseen, ahead."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from policy.problems import PolicyError
from policy.rules import Policy
from signer.approval import Mint
from signer.ledger import Ledger, Settings
from signer.ledger.compiling import Compiler
from tests.support.ledgers import ORIGIN, POLICY, Bench, code, granted, load_policy, one, pay
from tests.support.officers import LOOSER, TIGHTER, A, approve, office, propose

SECONDS = 30


@dataclass
class Watched:
    """Compiles, and takes note of each document and whether it was in the test's own thread."""

    compiled: list[tuple[str, bool]] = field(default_factory=list)
    delay: float = 0
    home: threading.Thread = field(default_factory=threading.current_thread)

    def __call__(self, text: str) -> Policy:
        """Compile a document."""
        time.sleep(self.delay)
        policy = load_policy(text)
        self.compiled.append((text, threading.current_thread() is self.home))
        return policy


def another(bench: Bench, load: Watched) -> Ledger:
    """Open the ledger as another process would, and watch what it compiles."""
    ledger = Ledger(bench.path, Mint(), load, Settings(ORIGIN), bench.clock)
    bench.opened.append(ledger)
    return ledger


def test_each_document_is_compiled_once() -> None:
    """Until others have come in between; one that is no policy is tried each time."""
    load = Watched()
    compiler = Compiler(load)
    assert compiler.compile(POLICY) is compiler.compile(POLICY)
    for number in range(4):
        compiler.compile(f"{POLICY}# {number}")
    assert compiler.find(compiler.compile(TIGHTER).sha256) is not None
    assert compiler.find(load_policy(POLICY).sha256) is None
    for _ in range(2):
        with pytest.raises(PolicyError):
            compiler.compile("")


def test_a_proposal_is_compiled_ahead_in_every_process(bench: Bench, ledger: Ledger) -> None:
    """When it comes into force, no process has to compile it while requests wait."""
    load = Watched()
    worker = another(bench, load)
    granted(worker, pay(1, id="before"))
    assert load.compiled == [(POLICY, True)]
    policies = office(ledger)
    view = approve(policies, propose(policies, LOOSER))
    granted(worker, pay(1, id="meanwhile"))
    deadline = time.monotonic() + SECONDS
    while len(load.compiled) < 2:
        assert time.monotonic() < deadline, "it was not compiled ahead"
        time.sleep(0.01)
    policies.activate(view.proposal.number, A)
    granted(worker, pay(20_000, id="after"))
    assert load.compiled == [(POLICY, True), (LOOSER, False)]


def test_compiling_holds_no_other_process_up(bench: Bench, ledger: Ledger) -> None:
    """While one process compiles what was put in force at once, another one goes on."""
    load = Watched()
    worker = another(bench, load)
    granted(worker, pay(1, id="before"))
    policies = office(ledger)
    propose(policies, TIGHTER)
    load.delay = 2
    waits = threading.Thread(target=one, args=(worker, pay(5001, id="waits")))
    waits.start()
    went_on = 0
    while waits.is_alive():
        granted(ledger, pay(1, id=f"goes-on-{went_on}"))
        went_on += 1
        time.sleep(0.01)
    assert went_on > 3
    assert code(one(worker, pay(5001, id="after"))) == "LIMIT_PER_REQUEST"


def test_what_an_older_release_proposed_is_not_compiled_ahead() -> None:
    """A document that this release refuses ends no thread with an error."""
    compiler = Compiler(load_policy)
    before = set(threading.enumerate())
    compiler.ahead("schema = 9")
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)
    assert compiler.find("") is None
