"""A pool in a process of its own, on a module with faults, under load.

Each fault ends with the whole pool at work again; no request hangs, and no signature
that does not verify is released, which the load checks for itself.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from signer.hsm.errors import Ckr
from tests.support.faulty import Faulty
from tests.support.pools import Hsm, Load, PoolProcess, pool_process
from tests.support.softhsm import make_softhsm

SESSIONS = 4
PATIENCE = 0.5
# Seconds that the machine may add when it is busy with other things.
SLACK = 1.0

CLASSES = {
    "refuse": Ckr.DATA_INVALID,
    "replace": Ckr.SESSION_HANDLE_INVALID,
    "throttled": Ckr.OPERATION_ACTIVE,
    "closed": Ckr.SESSION_CLOSED,
    "not-begun": Ckr.OPERATION_NOT_INITIALIZED,
    "rebind": Ckr.KEY_HANDLE_INVALID,
    "object": Ckr.OBJECT_HANDLE_INVALID,
    "login": Ckr.USER_NOT_LOGGED_IN,
    "pin": Ckr.PIN_INCORRECT,
    "back-off": Ckr.FUNCTION_FAILED,
    "memory": Ckr.DEVICE_MEMORY,
    "host-memory": Ckr.HOST_MEMORY,
    "count": Ckr.SESSION_COUNT,
    "device": Ckr.DEVICE_ERROR,
    "general": Ckr.GENERAL_ERROR,
    "removed": Ckr.DEVICE_REMOVED,
    "absent": Ckr.TOKEN_NOT_PRESENT,
    "module": Ckr.CRYPTOKI_NOT_INITIALIZED,
    "vendor": 0x80000123,
    "remoting": 0xFFFFFFFFFFFFFFFF,
}
SMOKE = ("rebind", "device", "module")
HEAL_SECONDS = 5
# Each class for so many seconds, seldom and then always; 0 takes a few classes for a moment.
CAMPAIGN = float(os.environ.get("SIGNGATE_FAULT_SECONDS", "0"))
# A session that answers with an error at once draws all requests, and far more fail than succeed.
# In a moment a single slot that is away counts for much: what is refused at once comes again.
BLACK_HOLE = 0.5 if CAMPAIGN else 3
SECONDS = CAMPAIGN or 0.6


class FaultyPool:
    """The pool and the switchboard of its module."""

    def __init__(self, pool: PoolProcess, faulty: Faulty) -> None:
        self.faulty = faulty
        self.ask = pool.ask
        self.load = pool.load
        self.heal = pool.heal


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyPool]:
    """A pool of two slots with four sessions each."""
    directory = tmp_path_factory.mktemp("faulted")
    store = make_softhsm(directory / "store", "faulted")
    with Faulty(directory, token=store.token, slots=2) as faulty:
        hsm = Hsm(
            tuple((faulty.module, store.token, f"faulty-{slot}") for slot in range(2)),
            store.pin_file,
            faulty.variables | store.environment,
        )
        keys = ["ecdsa-p256", "ed25519"]
        with pool_process(hsm, keys, sessions=SESSIONS, load=Load(patience=PATIENCE)) as pool:
            yield FaultyPool(pool, faulty)
            faulty.reset()


@pytest.fixture
def pool(process: FaultyPool) -> Iterator[FaultyPool]:
    """The pool with everything in order, before and after."""
    process.heal(10)
    yield process
    process.faulty.clear()
    process.faulty.restore()
    process.heal(10)


def _check(load: Any) -> None:
    assert load["wrong"] == 0
    assert load["slowest"] < PATIENCE + SLACK


@pytest.mark.long
@pytest.mark.parametrize("dirty", [False, True], ids=["clean", "dirty"])
@pytest.mark.parametrize("function", ["C_SignInit", "C_Sign"])
@pytest.mark.parametrize("name", CLASSES if CAMPAIGN else SMOKE)
def test_every_class_of_codes(pool: FaultyPool, name: str, function: str, *, dirty: bool) -> None:
    """Seldom or always: no request hangs, nothing wrong leaves, all is well in 5 seconds."""
    code = CLASSES[name]
    pool.faulty.fault(function, code, dirty=dirty, probability=0.01)
    seldom = pool.load(SECONDS)
    pool.faulty.clear()
    _check(seldom)
    assert sum(seldom["errors"].values()) < BLACK_HOLE * seldom["signed"], seldom
    pool.faulty.fault(function, code, dirty=dirty)
    always = pool.load(SECONDS)
    pool.faulty.clear()
    _check(always)
    pool.heal(HEAL_SECONDS)


@pytest.mark.parametrize("how", ["flip", "truncate"])
def test_bad_signatures(pool: FaultyPool, how: Any) -> None:
    """A token that lies now and then, or always, is found out each time."""
    pool.faulty.spoil(how, probability=0.05)
    seldom = pool.load(0.6)
    _check(seldom)
    assert seldom["signed"] > 0
    assert seldom["errors"]["SignatureInvalidError"] > 0
    pool.faulty.spoil(how)
    _check(pool.load(0.6))
    pool.faulty.clear()
    pool.heal(5)


@pytest.mark.parametrize(
    "event", ["log_out", "invalidate_sessions", "invalidate_objects", "swap_keys"]
)
def test_lost_states(pool: FaultyPool, event: str) -> None:
    """A lost login, lost sessions, lost handles, and handles that are other keys now."""
    load = pool.load(1, getattr(pool.faulty, event))
    _check(load)
    assert load["last_signed"] > 0.9, load
    pool.heal(5)


@pytest.mark.parametrize("function", ["C_Sign", "*"])
def test_one_token_freezes(pool: FaultyPool, function: str) -> None:
    """Signing goes on by the other token within a second, and by both when it thaws."""
    load = pool.load(2.5, lambda: pool.faulty.hang(function, slot=0))
    _check(load)
    assert load["longest_gap"] < 1
    assert load["last_signed"] > 2.4
    assert load["errors"].keys() <= {"OutcomeUnknownError"}
    assert sum(load["errors"].values()) <= SESSIONS
    pool.faulty.release()
    pool.heal(10)


@pytest.mark.parametrize("code", [Ckr.DEVICE_REMOVED, Ckr.DEVICE_ERROR])
def test_one_token_goes_away(pool: FaultyPool, code: int) -> None:
    """A token that is removed loses nobody's request, and is used again when it is back."""
    load = pool.load(2, lambda: pool.faulty.remove(code, slot=0))
    _check(load)
    assert load["longest_gap"] < 1
    assert load["last_signed"] > 1.9
    pool.faulty.restore(slot=0)
    pool.heal(10)


def test_one_token_restarts(pool: FaultyPool) -> None:
    """After a module forgot everything both tokens come back, in the same process."""

    def restart() -> None:
        pool.faulty.remove(slot=0)
        time.sleep(0.5)
        pool.faulty.restore(reinitialize=True, slot=0)

    load = pool.load(2.5, restart)
    _check(load)
    assert load["last_signed"] > 2.4
    pool.heal(10)


def test_all_tokens_freeze(pool: FaultyPool) -> None:
    """Without any token requests end by their deadlines, and a restart is asked for."""
    load = pool.load(2.5, lambda: pool.faulty.hang("C_Sign"))
    _check(load)
    assert load["errors"]["OutcomeUnknownError"] <= 2 * SESSIONS
    assert pool.ask("status")["must_restart"], json.dumps([load, pool.ask("status")])
    pool.faulty.release()
    pool.heal(10)
    assert not pool.ask("status")["must_restart"]


def test_the_module_sees_no_misuse(pool: FaultyPool) -> None:
    """No session is ever used by two threads at once, whatever happened before."""
    pool.load(0.6)
    assert pool.faulty.counters().shared_sessions == 0
