"""The measured process: a token, a pool over it, and a plain loop beside it."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, cast

import pkcs11
from pkcs11.types import SignMixin

from loadtest.bench.sample import Sample
from loadtest.bench.token import MESSAGE, Turn, loop
from policy.algorithms import Algorithm, Digest
from signer import scheduling
from signer.approval import Approval, Mint
from signer.errors import HsmError, HsmOverloadedError
from signer.hsm import Pool, Token, keys, open_token
from signer.hsm.catalogue import signing_key
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.verify import verifier
from signer.pin import FilePin

ALGORITHMS: Final = (
    Algorithm.ECDSA_P256,
    Algorithm.ECDSA_SECP256K1,
    Algorithm.ED25519,
    Algorithm.RSA_PSS_SHA256,
)
PATIENCE_SECONDS: Final = 1.0
P256: Final = Algorithm.ECDSA_P256
NEVER_TOO_SMALL: Final = 1024  # a buffer for any signature, so that no call asks for its size
START_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process finds its token, and on which cores it runs.

    Attributes:
        module: the PKCS#11 library.
        label: the token's.
        serial: the token's, where several have that label.
        pin_file: its PIN.
        variables: the module's environment.
        cores: such as ``{0}``, as the supervisor gives each signing process one.
    """

    module: Path
    label: str
    serial: str | None
    pin_file: Path
    variables: dict[str, str]
    cores: frozenset[int]


@dataclass
class Seen:
    """What came of an open load; times in seconds."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: int = 0


class Side:
    """One process's token, a pool over it, and sessions for the loop."""

    def __init__(self, token: Token) -> None:
        self._token = token
        self._mint = Mint()
        self._pool: Pool | None = None
        self._sessions = 0

    def by_pool(self, algorithm: Algorithm, sessions: int) -> Turn:
        """Return one signature by a pool of so many sessions."""
        pool, mint = self._opened(sessions), self._mint

        def turn() -> bytes:
            approval = Approval(("bench", "bench"), algorithm.value, 1, algorithm, MESSAGE)
            return pool.sign(mint.issue(approval), time.monotonic() + PATIENCE_SECONDS)

        return turn

    @contextmanager
    def alone(self, algorithm: Algorithm, threads: int, *, verified: bool) -> Iterator[list[Turn]]:
        """Yield one signature by python-pkcs11 for each thread, on a session of its own."""
        sessions = [self._token.open() for _ in range(threads)]
        yield [self._alone(session, algorithm, verified=verified) for session in sessions]
        for session in sessions:
            session.close()

    def _alone(self, session: pkcs11.Session, algorithm: Algorithm, *, verified: bool) -> Turn:
        scheme, name = SCHEMES[algorithm], KeyVersion(algorithm.value, 1)
        public = next(public for public in keys.list_keys(self._token) if public.name == name)
        verify = verifier(public, algorithm)
        key = cast("SignMixin", signing_key(session, name))
        options: dict[str, Any] = {
            "mechanism": scheme.mechanism,
            "mechanism_param": scheme.parameters,
            "buffer_size": NEVER_TOO_SMALL,
        }

        def turn() -> None:
            data = scheme.token_input(MESSAGE, Digest.NATIVE)
            signature = scheme.normalise(key.sign(data, **options))
            if verified and not verify(MESSAGE, Digest.NATIVE, signature):
                raise ValueError("a signature does not verify")

        return turn

    def _opened(self, sessions: int) -> Pool:
        if self._pool is None or sessions != self._sessions:
            if self._pool is not None:
                self._pool.close()
            self._pool = Pool(self._token, sessions=sessions, redeem=self._mint.redeem)
            self._sessions = sessions
        return self._pool


def open_side(place: Place) -> Callable[..., Any]:
    """Open the token in this process; returns what calls one of ``MEASUREMENTS`` by its name."""
    os.sched_setaffinity(0, place.cores)
    scheduling.take_turns()  # as the service does
    os.environ.update(place.variables)
    token = open_token(place.module, place.label, FilePin(place.pin_file), serial=place.serial)
    present = {public.name for public in keys.list_keys(token)}
    for algorithm in ALGORITHMS:
        name = KeyVersion(algorithm.value, 1)
        if name not in present:
            bits = 2048 if algorithm is Algorithm.RSA_PSS_SHA256 else None
            keys.generate(token, name, algorithm, bits=bits)
    own = Side(token)
    return lambda name, *arguments: MEASUREMENTS[name](own, *arguments)


def _one(own: Side, algorithm: Algorithm, sessions: int) -> None:
    """Open the pool, and sign once."""
    own.by_pool(algorithm, sessions)()


def _pool(own: Side, algorithm: Algorithm, sessions: int, callers: int, seconds: float) -> Sample:
    """Sign by the pool as fast as so many callers can."""
    return loop([own.by_pool(algorithm, sessions)] * callers, seconds)


def _plain(own: Side, algorithm: Algorithm, threads: int, seconds: float) -> Sample:
    """Sign in a plain loop of so many threads."""
    with own.alone(algorithm, threads, verified=False) as turns:
        return loop(turns, seconds)


def _verified(own: Side, algorithm: Algorithm, threads: int, seconds: float) -> Sample:
    """Sign and verify in a plain loop of so many threads."""
    with own.alone(algorithm, threads, verified=True) as turns:
        return loop(turns, seconds)


def _pool_latency(own: Side, threads: int, seconds: float, pause: float) -> float:
    """Return the median of a signature by the pool, with pauses; seconds."""
    return _median([own.by_pool(P256, threads)] * threads, seconds, pause)


def _plain_latency(own: Side, threads: int, seconds: float, pause: float) -> float:
    """Return the median of a verified signature in the caller's thread, with pauses; seconds."""
    with own.alone(P256, threads, verified=True) as turns:
        return _median(turns, seconds, pause)


def _median(turns: Sequence[Turn], seconds: float, pause: float) -> float:
    times: list[float] = []

    def paced(turn: Turn) -> Turn:
        def one() -> None:
            began = time.perf_counter()
            turn()
            times.append(time.perf_counter() - began)
            time.sleep(pause)

        return one

    loop([paced(turn) for turn in turns], seconds)
    return statistics.median(times)


def _offer(own: Side, sessions: int, rate: float, seconds: float, threads: int) -> Seen:
    """Offer requests at random times, whatever the answers."""
    turn, seen, chance = own.by_pool(P256, sessions), Seen(), Random(1)  # noqa: S311 - no secret
    due, lock = time.monotonic() + START_SECONDS, threading.Lock()
    end = due + seconds

    def next_due() -> float:
        nonlocal due
        with lock:
            due += chance.expovariate(rate)
            return due

    def run() -> None:
        while (at := next_due()) < end:
            time.sleep(max(0.0, at - time.monotonic()))
            began = time.monotonic()
            try:
                turn()
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


MEASUREMENTS: Final[Mapping[str, Callable[..., Any]]] = {
    "begin": lambda _own: None,
    "one": _one,
    "pool": _pool,
    "plain": _plain,
    "verified": _verified,
    "pool latency": _pool_latency,
    "plain latency": _plain_latency,
    "offer": _offer,
}
