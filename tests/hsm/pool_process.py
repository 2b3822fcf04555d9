"""A process with a pool; obeys one JSON command a line, and answers each with one.

Run as ``pool_process.py SETTINGS``, the JSON of ``tests.support.pools.Settings``, with
the module's variables in the environment. It first answers which keys the tokens
refused to make, and then, or in its place, ``{"error": …}`` when the pool does not start.
Commands: ``{"load": {…}}`` signs by several threads and answers what came of it;
``{"sign": {}}`` signs once by every key and algorithm; ``{"status": {}}`` answers how
the pool is, and ``{"usage": {}}`` what the process holds.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from policy.algorithms import Algorithm, Digest
from signer.approval import Mint
from signer.errors import ConfigError, HsmError, SigngateError
from signer.hsm import Pool, SessionRange, Token, keys, open_token
from signer.hsm.limits import Limits
from signer.hsm.names import KeyVersion
from signer.hsm.verify import verifier
from signer.pin import FilePin
from tests.support.pools import Settings
from tests.support.signing import approval


@dataclass
class Load:
    """What came of a load. Times are seconds since its beginning, or of one request."""

    signed: int = 0
    wrong: int = 0
    slowest: float = 0.0
    longest_gap: float = 0.0
    last_signed: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)


class Loader:
    """Signs by several threads."""

    def __init__(self, pool: Pool, mint: Mint) -> None:
        self._pool = pool
        self._mint = mint
        self._lock = threading.Lock()
        self._keys = [
            (name.key, algorithm)
            for name in pool.key_versions()
            for algorithm in pool.public_key(*name).algorithms
        ]

    def sign_each(self) -> dict[str, str]:
        """Sign once by each key and algorithm; says what came of it by the algorithm."""
        results = {}
        for key, algorithm in self._keys:
            issued = self._mint.issue(approval(algorithm, b"each", key=key))
            try:
                self._pool.sign(issued, time.monotonic() + 10)
            except HsmError as error:
                results[f"{key} {algorithm}"] = str(error)
            else:
                results[f"{key} {algorithm}"] = "signed"
        return results

    def run(self, *, seconds: float, threads: int, patience: float, pause: float) -> Load:
        """Sign for some time; each request waits no longer than its patience.

        Each thread pauses after each of its requests, and for a millisecond at least after
        one that failed.
        """
        load, began = Load(), time.monotonic()
        load.last_signed = began
        workers = [
            threading.Thread(
                target=self._work, args=(load, began + seconds, patience, pause, number)
            )
            for number in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        load.last_signed -= began
        return load

    def _work(self, load: Load, end: float, patience: float, pause: float, number: int) -> None:
        key, algorithm = self._keys[number % len(self._keys)]
        verify = verifier(self._pool.public_key(key, 1), algorithm)
        count = 0
        while (start := time.monotonic()) < end:
            count += 1
            message = b"%d/%d" % (number, count)
            issued = self._mint.issue(approval(algorithm, message, key=key))
            try:
                signature = self._pool.sign(issued, start + patience)
            except HsmError as error:
                self._note(load, start, type(error).__name__)
                time.sleep(max(pause, 0.001))
            else:
                good = verify(message, Digest.NATIVE, signature)
                self._note(load, start, None if good else "wrong")
                time.sleep(pause)

    def _note(self, load: Load, start: float, error: str | None) -> None:
        now = time.monotonic()
        with self._lock:
            load.slowest = max(load.slowest, now - start)
            load.wrong += error == "wrong"
            if error:
                load.errors[error] += 1
                return
            load.signed += 1
            load.longest_gap = max(load.longest_gap, now - load.last_signed)
            load.last_signed = now


def _status(pool: Pool) -> dict[str, Any]:
    return {
        "ready": pool.is_ready,
        "must_restart": pool.must_restart,
        "slots": [
            {
                "state": slot.state,
                "sessions": slot.sessions,
                "generation": slot.generation,
                "error": slot.last_error,
            }
            for slot in pool.status()
        ],
    }


def _usage() -> dict[str, int]:
    own = Path("/proc/self")
    pages = int((own / "statm").read_text().split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "threads": len(list((own / "task").iterdir())),
        "descriptors": len(list((own / "fd").iterdir())),
    }


def _answer(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _generate(token: Token, wanted: list[str]) -> dict[str, str]:
    """Make the keys that are not there; says which the token refused, and why."""
    present = {public.name for public in keys.list_keys(token)}
    refused = {}
    for algorithm in map(Algorithm, wanted):
        version = KeyVersion(algorithm.value, 1)
        if version not in present:
            bits = 2048 if algorithm.startswith("rsa") else None
            try:
                keys.generate(token, version, algorithm, bits=bits)
            except ConfigError as error:
                refused[algorithm.value] = str(error)
    return refused


def _obey(pool: Pool, mint: Mint) -> None:
    loader = Loader(pool, mint)
    commands = {
        "load": lambda **load: vars(loader.run(**load)),
        "sign": loader.sign_each,
        "status": lambda: _status(pool),
        "usage": _usage,
    }
    for line in sys.stdin:
        ((name, arguments),) = json.loads(line).items()
        _answer(commands[name](**arguments))


def main(settings: Settings) -> None:
    """Obey until the input ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    mint = Mint()
    with ExitStack() as stack:
        pin = FilePin(Path(settings["pin_file"]))
        tokens = [
            stack.enter_context(
                closing(open_token(Path(module), label, pin, serial=serial)),
            )
            for module, label, serial in settings["tokens"]
        ]
        _answer(_generate(tokens[0], settings["keys"]) if settings["keys"] else {})
        sessions = settings["sessions"]
        pool = Pool(
            *tokens,
            sessions=sessions if isinstance(sessions, int) else SessionRange(*sessions),
            redeem=mint.redeem,
            limits=Limits(stuck_seconds=settings["stuck_seconds"]),
        )
        stack.enter_context(closing(pool))
        _answer("ready")
        _obey(pool, mint)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except SigngateError as error:
        _answer({"error": str(error)})
