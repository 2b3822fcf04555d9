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


def fits(measured: float, expected: float) -> bool:
    """Never faster than simulated; slower only by what a busy machine costs."""
    return 0.6 * expected < measured < 1.1 * expected


@pytest.mark.parametrize(
    ("threads", "expected"),
    [(1, 1000 / (8 + 8)), (4, 4 * 1000 / (8 + 8)), (16, 4 * 1000 / 8)],
    ids=["one", "as many as engines", "enough"],
)
def test_engines(faulty: Faulty, faulty_store: SoftHsm, threads: int, expected: float) -> None:
    """Few threads are bound by the round trip, many by the four engines."""
    faulty.latency(network_ms=8, service_ms=8, engines=4)
    assert fits(rate(faulty, faulty_store, threads), expected)


def test_processes_share_engines(client: Client, faulty: Faulty, faulty_store: SoftHsm) -> None:
    """A process that competes with twice as many threads of another gets a third, not all."""
    signers = [Signer.on(client) for _ in range(8)]
    stop = threading.Event()
    faulty.latency(service_ms=8, engines=2)
    with ThreadPoolExecutor(len(signers)) as pool:
        for signer in signers:
            pool.submit(_sign_until, stop, signer)
        try:
            share = rate(faulty, faulty_store, 4)
        finally:
            stop.set()
    everything = 2 * 1000 / 8
    assert everything / 3 * 0.6 < share < everything * 0.6


def _sign_until(stop: threading.Event, signer: Signer) -> None:
    while not stop.is_set():
        signer.sign()


@pytest.mark.parametrize(
    ("jitter", "least", "most"), [("uniform", 14, 24), ("exponential", 26, 45)]
)
def test_jitter(
    signer: Signer,
    faulty: Faulty,
    jitter: Literal["uniform", "exponential"],
    least: float,
    most: float,
) -> None:
    """Jitter comes on top: half of the bound on average, or the mean."""
    faulty.reset()  # the same chances each time
    faulty.latency(network_ms=1, jitter_ms=30, jitter=jitter)
    begin = time.monotonic()
    assert {signer.sign() for _ in range(15)} == {Ckr.OK}
    milliseconds = (time.monotonic() - begin) * 1000 / 15
    assert least < milliseconds < most


def test_everywhere(client: Client, faulty: Faulty) -> None:
    """Only C_Sign crosses the network, unless every call is told to."""
    faulty.latency(network_ms=200)
    begin = time.monotonic()
    _, session = client.open()
    assert time.monotonic() - begin < 0.2
    faulty.latency(network_ms=200, everywhere=True)
    begin = time.monotonic()
    client.state(session)
    assert time.monotonic() - begin >= 0.2


def test_lost_on_the_way(signer: Signer, faulty: Faulty) -> None:
    """A signature that is on its way when the token goes does not arrive."""
    faulty.latency(network_ms=300)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(signer.sign)
        time.sleep(0.1)
        faulty.remove()
        assert waiting.result(5) == Ckr.DEVICE_REMOVED
