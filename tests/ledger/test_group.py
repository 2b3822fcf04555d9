"""Group commit: who leads, who waits, and what they are told."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytest

from signer.errors import LedgerUnavailableError
from signer.ledger.group import Group, Job
from signer.ledger.transaction import Transaction


def work(_: Transaction) -> str:
    """Do what a job does."""
    return "done"


class Commits:
    """Stands where the writer does: records batches, and holds the first one up."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.entered = threading.Event()
        self.release = threading.Event()

    def __call__(self, jobs: Sequence[Job[Any]]) -> None:
        """Finish the jobs."""
        self.batches.append(len(jobs))
        self.entered.set()
        self.release.wait(10)
        for job in jobs:
            job.run(None)  # type: ignore[arg-type] # the work looks at no transaction
            job.finish()


def start(group: Group, results: list[object], size: int = 1) -> threading.Thread:
    """Submit a job from a thread."""

    def run() -> None:
        try:
            results.append(group.submit(Job(work, size)))
        except LedgerUnavailableError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def waiting(group: Group, count: int) -> None:
    """Return once so many jobs wait."""
    while len(group._gathering._pending) < count:
        threading.Event().wait(0.001)


@pytest.mark.parametrize(("sizes", "batches"), [([1] * 5, [1, 5]), ([3, 3, 3, 9], [1, 2, 1, 1])])
def test_who_waits_goes_together(sizes: list[int], batches: list[int]) -> None:
    """Jobs that come during a commit share the next, up to the bound; a larger one goes alone."""
    commits = Commits()
    group = Group(commits, bound=6)
    results: list[object] = []
    threads = [start(group, results)]
    commits.entered.wait(10)
    for number, size in enumerate(sizes):
        threads.append(start(group, results, size))
        waiting(group, number + 1)
    commits.release.set()
    for thread in threads:
        thread.join(10)
    assert commits.batches == batches
    assert results == ["done"] * (1 + len(sizes))


def test_a_commit_that_breaks_lets_nobody_through() -> None:
    """When committing itself raises, everybody in the batch is refused and the queue goes on."""
    failures = [True, False]

    def commit(jobs: Sequence[Job[Any]]) -> None:
        if failures.pop(0):
            raise KeyboardInterrupt
        for job in jobs:
            job.finish()

    group = Group(commit, bound=6)
    job = Job(work)
    with pytest.raises(KeyboardInterrupt):
        group.submit(job)
    with pytest.raises(LedgerUnavailableError):
        job.result()
    assert group.submit(Job(work)) is None


class InterruptError(Exception):
    """What a signal's handler raises."""


@pytest.mark.parametrize("chosen", [False, True])
def test_an_interrupted_waiter_leaves_the_queue(*, chosen: bool) -> None:
    """A signal that ends a wait does not leave the others waiting, even if the lead came to it."""
    commits = Commits()
    group = Group(commits, bound=6)
    results: list[object] = []
    threads = [start(group, results)]
    commits.entered.wait(10)

    def handler(_: int, __: FrameType | None) -> None:
        if chosen:
            commits.release.set()
            while group._gathering._pending:
                threading.Event().wait(0.001)
        raise InterruptError

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(InterruptError):
        group.submit(Job(work))
    signal.signal(signal.SIGALRM, before)
    assert not group._gathering._pending
    commits.release.set()
    threads.append(start(group, results))
    for thread in threads:
        thread.join(10)
    assert results == ["done", "done"]
