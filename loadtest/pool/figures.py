"""What the pool must reach, each as a ratio of measurements that take turns within one run."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from loadtest.bench.remote import Remote
from loadtest.bench.sample import Sample
from loadtest.bench.verdict import Figure
from loadtest.pool import appliance
from loadtest.pool.side import ALGORITHMS, Place, Say, Size, open_side
from tests.support.faulty import Faulty
from tests.support.softhsm import make_softhsm

SHARE: Final = 0.9
SESSIONS: Final = 2
CALLERS: Final = 4  # enough that a session never waits for one


def measure(directory: Path, size: Size, say: Say) -> Iterator[Figure]:
    """Measure everything; what is made on the way goes into ``directory``.

    Raises:
        LoadtestError: something could not be measured.
    """
    store = make_softhsm(directory / "store", "bench")
    cores = frozenset(os.sched_getaffinity(0))
    raw = Place(store.module, store.token, None, store.pin_file, store.environment, cores)
    yield from rates(raw, size, say)
    with Faulty(directory, token=store.token) as faulty:
        faulty.cache()
        variables = store.environment | faulty.variables
        place = replace(raw, module=faulty.module, serial="faulty-0", variables=variables)
        yield from appliance.measure(faulty, place, size, say)


def rates(place: Place, size: Size, say: Say) -> Iterator[Figure]:
    """Compare the pool with python-pkcs11's own loop, which verifies or does not."""
    with Remote(open_side, place) as side:
        for algorithm in ALGORITHMS:
            beside: dict[str, list[float]] = {"verified": [], "plain": []}
            for _ in range(size.rounds):
                by_pool: Sample = side.call("pool", algorithm, SESSIONS, CALLERS, size.seconds)
                line = f"{algorithm:16} pool {by_pool.rate:6.0f}"
                for what, shares in beside.items():
                    alone: Sample = side.call(what, algorithm, SESSIONS, size.seconds)
                    shares.append(by_pool.rate / alone.rate)
                    line += f", {what} loop {alone.rate:6.0f}"
                say(f"{line} a second")
            for what, shares in beside.items():
                yield Figure(f"{algorithm}: pool / {what} loop", tuple(shares), SHARE, rising=True)
