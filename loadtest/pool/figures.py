"""What the pool must reach, each as a ratio of measurements that take turns within one run."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from loadtest.bench.verdict import Figure
from loadtest.pool import appliance
from loadtest.pool.side import ALGORITHMS, Place
from loadtest.pool.sides import DEPLOYED, Say, Sides, Size, opened, together
from tests.support.faulty import Faulty
from tests.support.softhsm import make_softhsm

SHARE: Final = 0.9
SESSIONS: Final = 2
VERIFIED: Final = "verified"
CALLERS: Final = 2  # for each session: enough that it never waits for one


def measure(directory: Path, size: Size, say: Say) -> Iterator[Figure]:
    """Measure everything; what is made on the way goes into ``directory``.

    Raises:
        LoadtestError: something could not be measured.
    """
    store = make_softhsm(directory / "store", "bench")
    cores = frozenset(os.sched_getaffinity(0))
    raw = Place(store.module, store.token, None, store.pin_file, store.environment, cores)
    with opened(raw) as sides:
        yield from rates(sides, size, say)
    with Faulty(directory, token=store.token) as faulty:
        faulty.cache()
        variables = store.environment | faulty.variables
        place = replace(raw, module=faulty.module, serial="faulty-0", variables=variables)
        with opened(place) as sides:
            yield from appliance.measure(faulty, place, sides, size, say)


def rates(sides: Sides, size: Size, say: Say) -> Iterator[Figure]:
    """Compare two sessions of the pool with python-pkcs11's own two threads.

    That loop verifies each signature, as the pool must, or it does not: beside the second
    there is no bound, as what verifying costs is not the pool's to save. Nor is there one for
    a single process, whose threads wake each other across cores; see ``sides.DEPLOYED``.
    """
    pools = {"one process": SESSIONS, DEPLOYED: SESSIONS // len(sides.each) or 1}
    for algorithm in ALGORITHMS:
        shares: dict[tuple[str, str], list[float]] = {}
        for _ in range(size.rounds):
            loops = {
                what: sides.whole.call(what, algorithm, SESSIONS, size.seconds).rate
                for what in (VERIFIED, "plain")
            }
            for name, sessions in pools.items():
                order = (algorithm, sessions, CALLERS * sessions, size.seconds)
                rate = together(sides.by_name(name), *order)
                say(f"{algorithm}, {name}: {rate:.0f} a second; loops {_listed(loops)}")
                for what, alone in loops.items():
                    shares.setdefault((name, what), []).append(rate / alone)
        for (name, what), values in shares.items():
            title = f"{algorithm}, {name}: pool / {what} loop"
            bound = SHARE if (name, what) == (DEPLOYED, VERIFIED) else None
            yield Figure(title, tuple(values), bound, rising=True)


def _listed(loops: dict[str, float]) -> str:
    return ", ".join(f"{what} {rate:.0f}" for what, rate in loops.items())
