"""The token alone: signatures in a plain loop, by python-pkcs11 and by C."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from pkcs11.types import SignMixin

from loadtest.bench.sample import Sample
from loadtest.bench.subjects import Subject
from policy.algorithms import Algorithm, Digest
from signer.hsm import Token, keys, open_token
from signer.hsm.catalogue import signing_key
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.verify import Verifier, verifier
from signer.pin import FilePin
from tests.faulty import building

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
LABEL = "signgate"
MESSAGE = b"pay 5 to bob" * 8
THREADS = 2  # of the raw loop, so that it may use both cores; and the sessions of a signer

Turn = Callable[[], object]


def raw(directory: Path) -> Callable[[Subject, str, int, float], Sample]:
    """Open the token of an installation; returns what measures it.

    That takes a subject, ``sign`` or ``verify``, a number of threads, and seconds.
    """
    token = _open(directory)

    def measure(subject: Subject, what: str, threads: int, seconds: float) -> Sample:
        sign, verify = _turns(token, subject)
        if what == "verify":
            return loop([verify] * threads, seconds)
        return loop([sign, *(_turns(token, subject)[0] for _ in range(threads - 1))], seconds)

    return measure


def generate(directory: Path) -> Callable[[Sequence[str], Algorithm], None]:
    """Open the token of an installation; returns what makes keys by their names."""
    token = _open(directory)

    def make(names: Sequence[str], algorithm: Algorithm) -> None:
        # The usual way looks at all keys for each new one.
        session = token.open(rw=True)
        for name in names:
            keys.generate_pair(session, KeyVersion(name, 1), algorithm, None)
        session.close()

    return make


def _open(directory: Path) -> Token:
    os.environ["SOFTHSM2_CONF"] = str(directory / "softhsm2.conf")
    return open_token(MODULE, LABEL, FilePin(directory / "pin"))


def _turns(token: Token, subject: Subject) -> tuple[Turn, Turn]:
    """Return one signature on a session of its own, and one verification."""
    scheme, name = SCHEMES[subject.algorithm], KeyVersion(subject.key, 1)
    key = cast("SignMixin", signing_key(token.open(), name))
    data = scheme.token_input(MESSAGE, Digest.NATIVE)
    options: dict[str, Any] = {
        "mechanism": scheme.mechanism,
        "mechanism_param": scheme.parameters,
    }
    verify, signature = _verifier(token, subject), scheme.normalise(key.sign(data, **options))
    if not verify(MESSAGE, Digest.NATIVE, signature):
        raise ValueError(f"{name}: the token's signature does not verify")
    return lambda: key.sign(data, **options), lambda: verify(MESSAGE, Digest.NATIVE, signature)


def _verifier(token: Token, subject: Subject) -> Verifier:
    name = KeyVersion(subject.key, 1)
    public = next(public for public in keys.list_keys(token) if public.name == name)
    return verifier(public, subject.algorithm)


def loop(turns: Sequence[Turn], seconds: float) -> Sample:
    """Repeat each in a thread of its own; the CPU time is this process's."""
    counts = [0] * len(turns)
    stop = threading.Event()

    def run(number: int) -> None:
        turn, count = turns[number], 0
        while not stop.is_set():
            turn()
            count += 1
        counts[number] = count

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(turns))]
    began, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return Sample(sum(counts), time.perf_counter() - began, time.process_time() - cpu)


def plain_c(directory: Path, subject: Subject, threads: int, seconds: float) -> Sample:
    """Measure the same in C."""
    scheme = SCHEMES[subject.algorithm]
    data = scheme.token_input(MESSAGE, Digest.NATIVE)
    parameters = [str(int(item)) for item in scheme.parameters or ()]
    command = [str(building.loop()), str(MODULE), LABEL, str(directory / "pin"), subject.key]
    command += [str(threads), str(seconds), str(int(scheme.mechanism)), str(len(data)), *parameters]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    variables = {**os.environ, "SOFTHSM2_CONF": str(directory / "softhsm2.conf")}
    done = subprocess.run(  # noqa: S603 - this project's own program
        command, env=variables, check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Sample(round(float(done.stdout) * seconds), seconds, cpu)
