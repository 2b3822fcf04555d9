"""Two threads may sign at once, because of how the module was initialised.

What goes wrong without that is a crash or a hang, so the program runs on its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from policy.algorithms import Algorithm
from signer.hsm import Token, keys
from signer.hsm.names import KeyVersion
from tests.support.softhsm import SoftHsm

PROGRAM = Path(__file__).parent / "two_threads.py"
ROOT = Path(__file__).parents[2]
COUNT = 20_000


@pytest.fixture(scope="module")
def store(softhsm: SoftHsm, token: Token) -> SoftHsm:
    """The shared store with a key for these tests; its files serve other processes as well."""
    keys.generate(token, KeyVersion("threads", 1), Algorithm.ECDSA_P256)
    return softhsm


def _run(store: SoftHsm, mode: str, seconds: int) -> subprocess.CompletedProcess[str]:
    arguments = (store.module, store.token, store.pin_file, str(COUNT), mode)
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_two_threads(store: SoftHsm) -> None:
    """20,000 signatures by two threads on two sessions all come, and all verify."""
    done = _run(store, "locking", 60)
    assert (done.returncode, done.stdout) == (0, f"{COUNT}\n"), done.stderr


def _fails(store: SoftHsm) -> bool:
    try:
        done = _run(store, "plain", 6)
    except subprocess.TimeoutExpired:
        return True
    return (done.returncode, done.stdout) != (0, f"{COUNT}\n")


def test_the_test_can_fail(store: SoftHsm) -> None:
    """The same program with python-pkcs11's own initialisation crashes, hangs or errs.

    Each of twelve tries of twelve did; one of three is enough.
    """
    assert any(_fails(store) for _ in range(3))
