"""A pool under load and random faults for a long time holds no more than at its beginning.

A few seconds by default; ``SIGNGATE_SOAK_SECONDS`` sets more, 1,800 in ``make soak``.
"""

import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

from signer.hsm.errors import Ckr
from tests.support.faulty import Faulty
from tests.support.pools import Hsm, Load, PoolProcess, pool_process
from tests.support.softhsm import make_softhsm

SECONDS = float(os.environ.get("SIGNGATE_SOAK_SECONDS", "6"))
ROUND_SECONDS = 1.0
SETTLE_SECONDS = 0.2  # a thread ends a moment after it was joined
WARM_UP_ROUNDS = 3
SESSIONS = 4
MEBIBYTE = 2**20
# What an allocator may keep in the first minutes, and what a leak passes within an hour.
MEMORY_SLACK = 8 * MEBIBYTE
SEED = 20_240_731
PIN_CODES = {Ckr.PIN_INCORRECT, Ckr.PIN_LOCKED, Ckr.PIN_EXPIRED, Ckr.USER_PIN_NOT_INITIALIZED}
# A PIN that is refused takes its slot away for good, as it should.
CODES = [*(code for code in Ckr if code and code not in PIN_CODES), 0x80000123, 2**64 - 1]


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PoolProcess, Faulty]]:
    """A pool of two slots with four sessions each, and the switchboard of its module."""
    directory = tmp_path_factory.mktemp("soak")
    store = make_softhsm(directory / "store", "soak")
    with Faulty(directory, token=store.token, slots=2) as faulty:
        hsm = Hsm(
            tuple((faulty.module, store.token, f"faulty-{slot}") for slot in range(2)),
            store.pin_file,
            faulty.variables | store.environment,
        )
        load = Load(threads=4, pause=0.005)
        with pool_process(hsm, ["ecdsa-p256"], sessions=SESSIONS, load=load) as pool:
            yield pool, faulty


def _faults(faulty: Faulty, chance: random.Random) -> list[Callable[[], object]]:
    """List what may go wrong, each at a random rate and on a random slot."""
    slot = chance.choice([None, 0, 1])
    code = chance.choice(CODES)
    function = chance.choice(["C_SignInit", "C_Sign", "C_OpenSession", "C_Login", "*"])
    probability = chance.choice([0.001, 0.01, 0.1, 1])
    dirty = chance.random() < 0.5
    return [
        lambda: faulty.fault(function, code, dirty=dirty, probability=probability, slot=slot),
        lambda: faulty.spoil("flip", probability=probability, slot=slot),
        lambda: faulty.hang("C_Sign", times=2, slot=slot),
        lambda: faulty.log_out(slot=slot),
        lambda: faulty.invalidate_sessions(slot=slot),
        lambda: faulty.invalidate_objects(slot=slot),
        lambda: faulty.swap_keys(slot=slot),
        lambda: faulty.remove(slot=slot),
        faulty.reinitialize,
    ]


def _round(pool: PoolProcess, faulty: Faulty, chance: random.Random) -> dict[str, int]:
    """Let something go wrong under load, heal, and tell what the process holds then."""
    load = pool.load(ROUND_SECONDS, chance.choice(_faults(faulty, chance)))
    assert load["wrong"] == 0
    faulty.clear()
    faulty.restore()
    pool.heal(10)
    time.sleep(SETTLE_SECONDS)
    usage: dict[str, int] = pool.ask("usage")
    return usage


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 120)
def test_soak(rig: tuple[PoolProcess, Faulty]) -> None:
    """Memory, threads and descriptors stay what they are, and no session leaks."""
    pool, faulty = rig
    pool.heal(10)
    chance = random.Random(SEED)
    until = time.monotonic() + SECONDS
    first = [_round(pool, faulty, chance) for _ in range(WARM_UP_ROUNDS)][-1]
    last = first
    while time.monotonic() < until:
        last = _round(pool, faulty, chance)
        assert last["threads"] == first["threads"], (first, last)
        assert last["descriptors"] == first["descriptors"], (first, last)
        assert last["memory"] < first["memory"] + MEMORY_SLACK, (first, last)
