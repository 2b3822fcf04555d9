"""Running a test as pytest does: here, and in a child of the process that has them all."""

import os
import resource
import time
from collections.abc import Mapping, Sequence

import pytest

_MEMORY = 8 << 30


class Runner:
    """A pytest plugin that runs one test as pytest does, and says why it failed."""

    def __init__(self) -> None:
        self._failures: list[str] = []

    def failure(self, item: pytest.Item, following: pytest.Item | None = None) -> str:
        """Return what the test says, or nothing; ``following`` shares its fixtures."""
        self._failures.clear()
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        return "\n".join(self._failures)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep failures of setup, call and teardown."""
        if report.failed:
            self._failures.append(report.longreprtext or "failed")

    def alike(self, items: Sequence[pytest.Item]) -> Mapping[str, float]:
        """Run tests as a mutant's are run, without one; return the seconds of those that pass."""
        readable, writable = os.pipe()
        if not (child := os.fork()):
            quiet()
            with os.fdopen(writable, "w") as results:
                for item in items:
                    begun = time.process_time()
                    if not self.failure(item):
                        seconds = time.process_time() - begun
                        results.write(f"{seconds} {item.nodeid!r}\n")
            os._exit(0)
        os.close(writable)
        with os.fdopen(readable) as results:
            passed = [line.split(" ", 1) for line in results]
        os.waitpid(child, 0)
        names = {repr(item.nodeid): item.nodeid for item in items}
        return {names[name.rstrip("\n")]: float(seconds) for seconds, name in passed}


def quiet() -> None:
    """Let a child say nothing, and end when it needs much memory."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
