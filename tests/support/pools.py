"""A pool in a process of its own, with a load, and how it is."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypedDict

ROOT = Path(__file__).parents[2]
STUCK_SECONDS = 1.0
PROGRAM = ROOT / "tests" / "hsm" / "pool_process.py"


@dataclass(frozen=True, slots=True)
class Hsm:
    """One or more tokens as a pool reaches them.

    Attributes:
        tokens: the module, the label and, where two have the same, the serial of each.
        pin_file: the PIN of all.
        environment: what the modules need.
        prefix: how the command line of a process that uses them begins.
    """

    tokens: tuple[tuple[Path, str, str | None], ...]
    pin_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()


class Settings(TypedDict):
    """What the process is told; see ``pool_process.py``.

    Attributes:
        tokens: see ``Hsm``.
        pin_file: the PIN of all.
        keys: the algorithms of the keys that are made if the first token lacks them,
            each named after its own.
        sessions: on each token; or the least and the most, to be found by measuring.
        stuck_seconds: of ``Limits``.
    """

    tokens: list[tuple[str, str, str | None]]
    pin_file: str
    keys: list[str]
    sessions: int | list[int]
    stuck_seconds: float


class Load(NamedTuple):
    """What the pool is asked for.

    Attributes:
        threads: how many sign side by side.
        patience: how long a request waits, seconds.
        pause: between two requests of a thread, seconds.
    """

    threads: int = 8
    patience: float = 0.5
    pause: float = 0.0


class PoolProcess:
    """The process; give it one command at a time."""

    def __init__(self, process: subprocess.Popen[str], sessions: int, load: Load) -> None:
        self.process = process
        self.sessions = sessions
        self._load = load
        self.refused: dict[str, str] = {}

    def ask(self, command: str, **arguments: float) -> Any:
        """Give a command and wait for its answer."""
        self._give(command, arguments)
        return self.answer()

    def load(self, seconds: float, during: Callable[[], object] = lambda: None) -> Any:
        """Sign for some time, and do something 0.3 seconds in."""
        self._give("load", {"seconds": seconds, **self._load._asdict()})
        time.sleep(0.3)
        during()
        return self.answer()

    def heal(self, seconds: float) -> float:
        """Wait until every session is ready, or fail; returns how many seconds it took."""
        began = time.monotonic()
        while not all(
            slot["state"] == "up" and slot["sessions"]["ready"] == self.sessions
            for slot in self.ask("status")["slots"]
        ):
            assert time.monotonic() < began + seconds, self.ask("status")
            time.sleep(0.02)
        return time.monotonic() - began

    def answer(self) -> Any:
        """Read the next answer."""
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def _give(self, command: str, arguments: dict[str, float]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({command: arguments}) + "\n")
        self.process.stdin.flush()


_LOAD: Final = Load()


@contextmanager
def pool_process(
    hsm: Hsm, keys: Sequence[str] = (), *, sessions: int | list[int] = 2, load: Load = _LOAD
) -> Iterator[PoolProcess]:
    """Start a pool, and end it in good order.

    Args:
        hsm: its tokens.
        keys: see ``Settings``.
        sessions: see ``Settings``.
        load: what its method of that name does.
    """
    with subprocess.Popen(
        _command(hsm, keys, sessions),
        env=_environment(hsm),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        pool = PoolProcess(process, sessions if isinstance(sessions, int) else sessions[0], load)
        pool.refused = pool.answer()
        assert pool.answer() == "ready", pool.refused
        try:
            yield pool
        finally:
            assert process.stdin
            process.stdin.close()
            status = process.wait(20)
        assert status == 0


def start_error(hsm: Hsm) -> str:
    """Start a pool that must not start; returns why it did not."""
    done = subprocess.run(
        _command(hsm, (), 1),
        env=_environment(hsm),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    error: str = json.loads(done.stdout.splitlines()[-1])["error"]
    return error


def _command(hsm: Hsm, keys: Sequence[str], sessions: int | list[int]) -> list[str]:
    settings: Settings = {
        "tokens": [(str(module), label, serial) for module, label, serial in hsm.tokens],
        "pin_file": str(hsm.pin_file),
        "keys": list(keys),
        "sessions": sessions,
        "stuck_seconds": STUCK_SECONDS,
    }
    return [*hsm.prefix, sys.executable, str(PROGRAM), json.dumps(settings)]


def _environment(hsm: Hsm) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **hsm.environment}
