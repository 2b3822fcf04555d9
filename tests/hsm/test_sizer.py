"""A pool that finds its size by itself, on a simulated appliance."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.hsm import Pool, SessionRange, Token
from tests.support.faulty import Faulty
from tests.support.pools import Hsm, Load, PoolProcess, pool_process
from tests.support.signing import approval
from tests.support.softhsm import SoftHsm, make_softhsm
from tests.support.switched import SwitchedToken, wait_for

ENGINES = 4
SERVICE_MS = 10.0
NETWORK_MS = 5.0
ADVISED = ENGINES * (1 + NETWORK_MS / SERVICE_MS)
THREADS = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    """A token."""
    return make_softhsm(tmp_path_factory.mktemp("sized"), "sized")


@contextmanager
def sized(store: SoftHsm, faulty: Faulty, *sessions: int) -> Iterator[PoolProcess]:
    """Run a pool between two numbers of sessions, with more callers than it needs."""
    faulty.cache()
    faulty.latency(network_ms=NETWORK_MS, service_ms=SERVICE_MS, engines=ENGINES)
    tokens = ((faulty.module, store.token, None),)
    hsm = Hsm(tokens, store.pin_file, faulty.variables | store.environment)
    load = Load(threads=THREADS, patience=5)
    with pool_process(hsm, ["ecdsa-p256"], sessions=list(sessions), load=load) as pool:
        yield pool


def size(pool: PoolProcess) -> int:
    """Return how many sessions there are."""
    (slot,) = pool.ask("status")["slots"]
    return int(sum(slot["sessions"].values()))


def test_the_number_is_found_and_stays(store: SoftHsm, tmp_path: Path) -> None:
    """It grows from one to about what the engines are worth, and opens no more under load."""
    with Faulty(tmp_path, token=store.token) as faulty, sized(store, faulty, 1, 32) as pool:
        assert size(pool) == 1
        load = pool.load(8.0)
        assert load["signed"] > 0
        assert load["errors"].keys() <= {"HsmOverloadedError"}
        found = size(pool)
        assert ADVISED * 0.6 <= found <= ADVISED * 2
        opened = faulty.counters().calls["C_OpenSession"]
        pool.load(2.0)
        assert size(pool) - found <= 1
        assert faulty.counters().calls["C_OpenSession"] - opened <= 1


def test_never_past_the_token_s_limit(store: SoftHsm, tmp_path: Path) -> None:
    """A token that has five sessions is never asked for a sixth; one of them is the anchor."""
    with Faulty(tmp_path, token=store.token) as faulty:
        faulty.limit(sessions=5)
        with sized(store, faulty, 1, 32) as pool:
            pool.load(5.0)
            counters = faulty.counters()
            assert size(pool) == 4
            assert counters.open_sessions == 5
            assert counters.faults["C_OpenSession"] == 0


def test_a_refused_session_ends_the_growth(store: SoftHsm, tmp_path: Path) -> None:
    """A token that does not tell its limit but refuses is asked once, and signs on."""
    with Faulty(tmp_path, token=store.token) as faulty, sized(store, faulty, 2, 32) as pool:
        faulty.fault("C_OpenSession", 0xB1)
        load = pool.load(4.0)
        assert load["errors"].keys() <= {"HsmOverloadedError"}
        assert size(pool) == 2
        assert faulty.counters().faults["C_OpenSession"] == 1


def test_a_passing_failure_does_not_end_the_growth(store: SoftHsm, tmp_path: Path) -> None:
    """A session that once could not be opened for another reason is tried again."""
    with Faulty(tmp_path, token=store.token) as faulty, sized(store, faulty, 1, 2) as pool:
        faulty.fault("C_OpenSession", 0x30, times=1)
        pool.load(4.0)
        assert faulty.counters().faults["C_OpenSession"] == 1
        assert size(pool) == 2


@pytest.fixture
def switched(token: Token) -> SwitchedToken:
    """The shared token behind a switch that is off."""
    return SwitchedToken(token)


def test_sessions_come_and_go(switched: SwitchedToken, mint: Mint) -> None:
    """A hired session signs, a dismissed one is closed, and nobody's request is lost."""
    bounds = SessionRange(1, 3)
    with closing(Pool(switched.as_token(), sessions=bounds, redeem=mint.redeem)) as pool:
        slot = pool._slots[0]
        for expected in (2, 3):
            pool.hire(slot, slot.open())
            assert pool.size(slot) == expected
        for expected in (2, 1):
            pool.dismiss(slot)
            assert pool.size(slot) == expected
            issued = mint.issue(approval(Algorithm.ECDSA_P256))
            assert len(pool.sign(issued, time.monotonic() + 5)) == 64
        wait_for(lambda: switched.switch.opened - switched.switch.closed == 1)
        assert sum(pool.status()[0].sessions.values()) == 1


def test_a_closing_pool_hires_nobody(switched: SwitchedToken, mint: Mint) -> None:
    """A session that comes when the pool has closed is closed as well."""
    pool = Pool(switched.as_token(), sessions=SessionRange(1, 3), redeem=mint.redeem)
    session = pool._slots[0].open()
    pool.close()
    pool.hire(pool._slots[0], session)
    assert switched.switch.opened == switched.switch.closed


def test_opening_beside_others_waits_for_nobody(switched: SwitchedToken, mint: Mint) -> None:
    """While a session is being opened, or a pause is due, there is no further one."""
    with closing(Pool(switched.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        slot = pool._slots[0]
        with slot._connecting:
            assert slot.open_another() is None
        slot._backoff.failed(time.monotonic() + 60, 1)
        assert slot.open_another() is None
