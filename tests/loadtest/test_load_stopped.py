"""A load test or a benchmark that somebody stops leaves nothing running, and no traceback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loadtest import ending

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60
BENCH = ("loadtest.bench", "--quick", "--only=latency")
RUN = ("loadtest", "run", "loadtest/profiles/smoke.toml", "--scale=0.1")


def told_of(directory: Path) -> list[str]:
    """Return the command lines of processes that have a directory there or in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if os.fsencode(directory) in command + environment:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait for something that comes within a minute."""
    last = time.monotonic() + WAIT_SECONDS
    while not reached():
        assert time.monotonic() < last
        time.sleep(0.1)


def test_what_must_not_be_interrupted_is_finished_first() -> None:
    """A Ctrl-C is heard after it, not lost; SIGTERM is as before again; other threads may ask."""
    done: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(done)
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGTERM) is before
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(_spawning).result()


def _interrupted(done: list[str]) -> None:
    with ending.later():
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")


def _spawning() -> None:
    with ending.later(), ending.by_parent():
        pass


@pytest.mark.parametrize("command", [BENCH, RUN], ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("seconds", "by_terminal"),
    [(0, True), (2.5, False), (2.5, True)],
    ids=["Ctrl-C while it starts", "SIGTERM", "Ctrl-C"],
)
def test_whoever_is_stopped_stops_what_it_started(
    command: tuple[str, ...], tmp_path: Path, seconds: float, *, by_terminal: bool
) -> None:
    """SIGTERM comes to one process, Ctrl-C to the signers and senders that it started as well."""
    serve = (f"--serve={tmp_path}/serve", f"--out={tmp_path}/out") if command is RUN else ()
    with subprocess.Popen(
        [sys.executable, "-m", *command, *serve],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        wait_until(lambda: any("signgate serve" in each for each in told_of(tmp_path)))
        time.sleep(seconds)
        if by_terminal:
            os.killpg(running.pid, signal.SIGINT)
        else:
            running.terminate()
        text, _ = running.communicate(timeout=WAIT_SECONDS)
        assert running.returncode > 0
        assert "Traceback" not in text, text
        wait_until(lambda: not told_of(tmp_path))
        assert not list(tmp_path.glob("signgate-bench-*"))
