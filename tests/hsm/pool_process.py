"""A process with a pool on the faulty module; obeys one JSON command a line.

Run as ``pool_process.py MODULE TOKEN PIN_FILE SLOTS SESSIONS``, with the module's
variables in the environment. Commands: ``{"load": {...}}`` signs by several threads
and answers what came of it; ``{"status": {}}`` answers how the pool is.
"""

import json
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
from signer.errors import HsmError
from signer.hsm import Pool, keys, open_token
from signer.hsm.limits import Limits
from signer.hsm.names import KeyVersion
from signer.hsm.verify import verifier
from signer.pin import FilePin
from tests.support.signing import approval

KEYS = {"faulted-p256": Algorithm.ECDSA_P256, "faulted-ed25519": Algorithm.ED25519}
STUCK_SECONDS = 1.0


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

    def run(self, *, seconds: float, threads: int, patience: float) -> Load:
        """Sign for some time; each request waits no longer than its patience."""
        load, began = Load(), time.monotonic()
        load.last_signed = began
        workers = [
            threading.Thread(target=self._work, args=(load, began + seconds, patience, number))
            for number in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        load.last_signed -= began
        return load

    def _work(self, load: Load, end: float, patience: float, number: int) -> None:
        key, algorithm = list(KEYS.items())[number % len(KEYS)]
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
                time.sleep(0.001)
            else:
                good = verify(message, Digest.NATIVE, signature)
                self._note(load, start, None if good else "wrong")

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
            {"state": slot.state, "sessions": slot.sessions, "error": slot.last_error}
            for slot in pool.status()
        ],
    }


def _answer(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(module: str, label: str, pin_file: str, slots: str, sessions: str) -> None:
    """Obey until the input ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    mint = Mint()
    with ExitStack() as stack:
        tokens = [
            open_token(Path(module), label, FilePin(Path(pin_file)), serial=f"faulty-{slot}")
            for slot in range(int(slots))
        ]
        for token in tokens:
            stack.callback(token.close)
        present = {public.name for public in keys.list_keys(tokens[0])}
        for name, algorithm in KEYS.items():
            if (name, 1) not in present:
                keys.generate(tokens[0], KeyVersion(name, 1), algorithm)
        limits = Limits(stuck_seconds=STUCK_SECONDS)
        pool = Pool(*tokens, sessions=int(sessions), redeem=mint.redeem, limits=limits)
        stack.enter_context(closing(pool))
        loader = Loader(pool, mint)
        _answer("ready")
        for line in sys.stdin:
            command = json.loads(line)
            answer = vars(loader.run(**command["load"])) if "load" in command else _status(pool)
            _answer(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
