"""The simulated appliance takes the time it was told, and the C loop measures it."""

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from signer.hsm.errors import Ckr
from tests.faulty import building
from tests.faulty.client import Client
from tests.faulty.signers import KEY, Signer
from tests.support.faulty import Faulty
from tests.support.softhsm import SoftHsm

SECONDS = 0.5


def rate(faulty: Faulty, store: SoftHsm, threads: int) -> float:
    """Signatures a second of the C loop, in a process of its own."""
    arguments = (faulty.module, store.token, store.pin_file, KEY, str(threads), str(SECONDS))
    done = subprocess.run(
        [building.loop(), *arguments],
        env=faulty.variables | store.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.parametrize(
    ("threads", "expected"),
    [(1, 1000 / (4 + 4)), (4, 4 * 1000 / (4 + 4)), (16, 4 * 1000 / 4)],
    ids=["one", "as many as engines", "enough"],
)
def test_engines(faulty: Faulty, faulty_store: SoftHsm, threads: int, expected: float) -> None:
    """Few threads are bound by the round trip, many by the four engines."""
    faulty.latency(network_ms=4, service_ms=4, engines=4)
    assert rate(faulty, faulty_store, threads) == pytest.approx(expected, rel=0.15)


def test_processes_share_engines(client: Client, faulty: Faulty, faulty_store: SoftHsm) -> None:
    """A process whose threads compete with as many of another gets half of the engines."""
    signers = [Signer.on(client) for _ in range(4)]
    stop = threading.Event()
    faulty.latency(service_ms=8, engines=2)
    with ThreadPoolExecutor(len(signers)) as pool:
        for signer in signers:
            pool.submit(_sign_until, stop, signer)
        try:
            share = rate(faulty, faulty_store, len(signers))
        finally:
            stop.set()
    assert share == pytest.approx(2 * 1000 / 8 / 2, rel=0.25)


def _sign_until(stop: threading.Event, signer: Signer) -> None:
    while not stop.is_set():
        signer.sign()


@pytest.mark.parametrize(("jitter", "mean"), [("uniform", 2.5), ("exponential", 5)])
def test_jitter(
    signer: Signer, faulty: Faulty, jitter: Literal["uniform", "exponential"], mean: float
) -> None:
    """Jitter comes on top: half of the bound on average, or the mean."""
    faulty.latency(network_ms=1, jitter_ms=5, jitter=jitter)
    begin = time.monotonic()
    assert {signer.sign() for _ in range(100)} == {Ckr.OK}
    # Of 100 exponential ones the mean has a standard deviation of a tenth.
    milliseconds = (time.monotonic() - begin) * 1000 / 100
    assert milliseconds == pytest.approx(1.2 + mean, rel=0.4)


def test_everywhere(client: Client, faulty: Faulty) -> None:
    """Only C_Sign crosses the network, unless every call is told to."""
    faulty.latency(network_ms=50)
    begin = time.monotonic()
    _, session = client.open()
    assert time.monotonic() - begin < 0.05
    faulty.latency(network_ms=50, everywhere=True)
    client.state(session)
    assert time.monotonic() - begin >= 0.05


def test_lost_on_the_way(signer: Signer, faulty: Faulty) -> None:
    """A signature that is on its way when the token goes does not arrive."""
    faulty.latency(network_ms=300)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(signer.sign)
        time.sleep(0.1)
        faulty.remove()
        assert waiting.result(5) == Ckr.DEVICE_REMOVED
