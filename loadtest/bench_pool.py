"""Figures of the session pool alone: ``python -m loadtest.bench_pool``.

Run it on a quiet machine. ``rates`` compares the pool with python-pkcs11's own loop;
both verify each signature, since the pool releases none that it did not verify, and
the loop without that is printed beside it. ``appliance`` runs the pool on a simulated
network HSM: its best rate, what the pool adds to a call, and what overload does.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

from pkcs11.types import SignMixin

from policy.algorithms import Algorithm, Digest
from signer.approval import Approval, Mint
from signer.errors import HsmError, HsmOverloadedError
from signer.hsm import Pool, Token, keys, open_token
from signer.hsm.catalogue import signing_key
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.verify import verifier
from signer.pin import FilePin
from tests.support.faulty import Faulty
from tests.support.softhsm import SoftHsm, make_softhsm

MESSAGE = b"pay 5 to bob" * 8
ALGORITHMS = (
    Algorithm.ECDSA_P256,
    Algorithm.ECDSA_SECP256K1,
    Algorithm.ED25519,
    Algorithm.RSA_PSS_SHA256,
)
SESSIONS = 2
CALLERS = (1, 2, 4, 8)
ENGINES = 8
NETWORK_MS = 0.4
SERVICE_MS = 0.8
APPLIANCE_RATE = ENGINES / SERVICE_MS * 1000
APPLIANCE_SESSIONS = math.ceil(ENGINES * (1 + NETWORK_MS / SERVICE_MS) * 1.25)
PATIENCE = 1.0

# Small, so that the refusals of an overload do not take the interpreter from the pool.
SMALL_ENGINES = 2
SMALL_SERVICE_MS = 2.0
SMALL_SESSIONS = math.ceil(SMALL_ENGINES * (1 + NETWORK_MS / SMALL_SERVICE_MS) * 1.25)

Work = Callable[[], object]


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def rate(seconds: float, works: Sequence[Work]) -> float:
    """Repeat each piece of work in a thread of its own; returns how many a second."""
    counts = [0] * len(works)
    start, stop = threading.Event(), threading.Event()

    def run(number: int) -> None:
        start.wait()
        while not stop.is_set():
            works[number]()
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    start.set()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


@dataclass
class Signer:
    """Signs by a pool with a new approval each time."""

    pool: Pool
    mint: Mint

    def sign(self, algorithm: Algorithm) -> bytes:
        """Sign the message."""
        approval = Approval(("bench", "bench"), algorithm.value, 1, algorithm, MESSAGE)
        return self.pool.sign(self.mint.issue(approval), time.monotonic() + PATIENCE)


@contextmanager
def signer(token: Token, sessions: int) -> Iterator[Signer]:
    """Open a pool over a token."""
    mint = Mint()
    with closing(Pool(token, sessions=sessions, redeem=mint.redeem)) as pool:
        yield Signer(pool, mint)


def loop(token: Token, algorithm: Algorithm, *, verified: bool) -> Work:
    """Return one turn of python-pkcs11's own loop, on a session of its own."""
    scheme, name = SCHEMES[algorithm], KeyVersion(algorithm.value, 1)
    public = next(public for public in keys.list_keys(token) if public.name == name)
    verify = verifier(public, algorithm)
    key = cast("SignMixin", signing_key(token.open(), name))
    options: dict[str, Any] = {
        "mechanism": scheme.mechanism,
        "mechanism_param": scheme.parameters,
        "buffer_size": 1024,
    }

    def turn() -> None:
        data = scheme.token_input(MESSAGE, Digest.NATIVE)
        signature = scheme.normalise(key.sign(data, **options))
        if verified and not verify(MESSAGE, Digest.NATIVE, signature):
            raise ValueError("a signature does not verify")

    return turn


def rates(token: Token, seconds: float) -> None:
    """Compare the pool at two sessions with the two-thread loop, alternating."""
    say(f"{'':16} {'loop':>7} {'and verify':>10}  pool by callers, share of the latter")
    for algorithm in ALGORITHMS:
        raw, both = (
            rate(seconds, [loop(token, algorithm, verified=verified) for _ in range(SESSIONS)])
            for verified in (False, True)
        )
        with signer(token, SESSIONS) as by_pool:
            shares = []
            for callers in CALLERS:
                turns = [lambda: by_pool.sign(algorithm)] * callers  # noqa: B023 - used in here
                shares.append(f"{callers}: {rate(seconds, turns) / both:4.0%}")
        say(f"{algorithm:16} {raw:7.0f} {both:10.0f}  {'  '.join(shares)}")


@dataclass
class Seen:
    """What came of an open load; times in seconds."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: int = 0

    def summary(self, seconds: float) -> str:
        """Return one line."""
        accepted, refused = (_percentiles(times) for times in (self.accepted, self.refused))
        good = len(self.accepted) / seconds
        return f"{good:6.0f}/s  accepted {accepted}  refused {refused}  failed {self.failed}"


def _percentiles(times: list[float]) -> str:
    if not times:
        return "none"
    ordered = sorted(times)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.99))
    return f"{len(times)} p50 {p50:.2f} p99 {p99:.2f} ms"


def offer(by_pool: Signer, per_second: float, seconds: float, threads: int) -> Seen:
    """Offer requests at random times, whatever the answers; a late start counts as waiting."""
    seen, chance = Seen(), Random(1)  # noqa: S311 - a load, not a secret
    due = time.monotonic() + 0.1
    end, lock = due + seconds, threading.Lock()

    def next_due() -> float:
        nonlocal due
        with lock:
            due += chance.expovariate(per_second)
            return due

    def run() -> None:
        while (at := next_due()) < end:
            time.sleep(max(0.0, at - time.monotonic()))
            began = time.monotonic()
            try:
                by_pool.sign(Algorithm.ECDSA_P256)
            except HsmOverloadedError:
                seen.refused.append(time.monotonic() - began)
            except HsmError:
                seen.failed += 1
            else:
                seen.accepted.append(time.monotonic() - began)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return seen


def appliance(token: Token, faulty: Faulty, seconds: float) -> None:
    """Measure on a simulated network HSM."""
    faulty.cache()
    faulty.latency(network_ms=NETWORK_MS, service_ms=SERVICE_MS, engines=ENGINES)
    with signer(token, APPLIANCE_SESSIONS) as by_pool:
        turns = [lambda: by_pool.sign(Algorithm.ECDSA_P256)] * (2 * APPLIANCE_SESSIONS)
        best = rate(seconds, turns)
        say(f"appliance: {best:.0f}/s of {APPLIANCE_RATE:.0f}/s ({best / APPLIANCE_RATE:.0%})")
    faulty.latency(network_ms=NETWORK_MS, service_ms=SMALL_SERVICE_MS, engines=SMALL_ENGINES)
    with signer(token, SMALL_SESSIONS) as by_pool:
        turns = [lambda: by_pool.sign(Algorithm.ECDSA_P256)] * (2 * SMALL_SESSIONS)
        best = rate(seconds, turns)
        say(f"a smaller one: {best:.0f}/s of {SMALL_ENGINES / SMALL_SERVICE_MS * 1000:.0f}/s")
        for share in (0.7, 2.0):
            seen = offer(by_pool, share * best, seconds, 64)
            say(f"  at {share:.0%}: {seen.summary(seconds)}")
    faulty.latency(service_ms=1.0)
    turn = loop(token, Algorithm.ECDSA_P256, verified=True)
    with signer(token, SESSIONS) as by_pool:
        calls = _median(turn), _median(lambda: by_pool.sign(Algorithm.ECDSA_P256))
    say(f"1 ms tokens: a verified call {calls[0]:.0f} µs, by the pool {calls[1]:.0f} µs")


def _median(turn: Work) -> float:
    times = []
    for _ in range(500):
        began = time.perf_counter()
        turn()
        times.append(time.perf_counter() - began)
        time.sleep(0.001)  # half load
    return statistics.median(times) * 1e6


def _token(module: Path, store: SoftHsm, serial: str | None = None) -> Token:
    token = open_token(module, store.token, FilePin(store.pin_file), serial=serial)
    for algorithm in ALGORITHMS:
        bits = 2048 if algorithm is Algorithm.RSA_PSS_SHA256 else None
        keys.generate(token, KeyVersion(algorithm.value, 1), algorithm, bits=bits)
    return token


def main() -> None:
    """Run one of the two; a process can load the token's module only once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["rates", "appliance"])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        store = make_softhsm(Path(directory) / "store", "bench")
        os.environ.update(store.environment)
        if arguments.what == "rates":
            with closing(_token(store.module, store)) as token:
                rates(token, arguments.seconds)
            return
        with Faulty(Path(directory), token=store.token) as faulty:
            os.environ.update(faulty.variables)
            with closing(_token(faulty.module, store, "faulty-0")) as token:
                appliance(token, faulty, arguments.seconds)


if __name__ == "__main__":
    main()
