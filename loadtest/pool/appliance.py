"""The pool on a simulated HSM in the network: its best rate, what it adds to a call, overload."""

import math
import os
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loadtest.bench.sample import Sample
from loadtest.bench.verdict import Figure
from loadtest.pool.side import P256, Place
from loadtest.pool.sides import DEPLOYED, Say, Sides, Size, together
from tests.faulty import building
from tests.support.faulty import Faulty

SATURATION: Final = 0.95
OVERHEAD_US: Final = 60.0
TAIL: Final = 3.0
REFUSED_MS: Final = 5.0
GOODPUT: Final = 0.95


@dataclass(frozen=True, slots=True)
class Appliance:
    """What is simulated: times in milliseconds."""

    engines: int
    service: float
    network: float = 0.4

    @property
    def sessions(self) -> int:
        """How many keep the engines busy, and a quarter more."""
        return math.ceil(self.engines * (1 + self.network / self.service) * 1.25)

    def simulate(self, faulty: Faulty) -> None:
        """Let the module behave so from now on."""
        faulty.latency(network_ms=self.network, service_ms=self.service, engines=self.engines)


FAST: Final = Appliance(engines=8, service=0.8)
C_THREADS: Final = (8, 12, 16, 24)
TOKEN_MS: Final = 1.0
SESSIONS: Final = 2

# Small, so that refusals do not take the interpreter from the pool: the load is in its process.
SMALL: Final = Appliance(engines=2, service=2.0)
OFFERING: Final = 64  # threads
MODERATE: Final = 0.7
OVERLOAD: Final = 2.0


def measure(faulty: Faulty, place: Place, sides: Sides, size: Size, say: Say) -> Iterator[Figure]:
    """Measure everything."""
    yield from saturation(faulty, place, sides, size, say)
    yield from overhead(faulty, sides, size, say)
    yield from overload(faulty, sides, size, say)


def saturation(
    faulty: Faulty, place: Place, sides: Sides, size: Size, say: Say
) -> Iterator[Figure]:
    """Compare the best rate with that of a C loop with the best number of threads."""
    FAST.simulate(faulty)
    best = max(C_THREADS, key=lambda threads: _in_c(place, threads, size.seconds / 2).rate)
    shares: dict[str, list[float]] = {}
    for _ in range(size.rounds):
        alone = _in_c(place, best, size.seconds)
        say(f"appliance, C by {best} threads: {alone.rate:.0f} a second")
        for name in ("one process", "one core", DEPLOYED):
            order = (P256, FAST.sessions, 2 * FAST.sessions, size.seconds)
            rate = together(sides.by_name(name), *order)
            shares.setdefault(name, []).append(rate / alone.rate)
            say(f"appliance, {name}: {rate:.0f} a second")
    for name, values in shares.items():
        bound = SATURATION if name == DEPLOYED else None
        yield Figure(f"appliance, {name}: pool / C", tuple(values), bound, rising=True)


def _in_c(place: Place, threads: int, seconds: float) -> Sample:
    command = [str(building.loop()), str(place.module), place.label, str(place.pin_file)]
    command += [P256.value, str(threads), str(seconds)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603 - this project's own program
        command, env=os.environ | place.variables, check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Sample(round(float(done.stdout) * seconds), seconds, cpu)


def overhead(faulty: Faulty, sides: Sides, size: Size, say: Say) -> Iterator[Figure]:
    """Compare the median of a signature with that of a verified call in the caller's thread."""
    faulty.latency(service_ms=TOKEN_MS)
    pause = TOKEN_MS / 1000  # as long as the token takes: half load
    for name in ("one process", "one core"):
        (process,) = sides.by_name(name)
        values = []
        for _ in range(size.rounds):
            alone, by_pool = (
                process.call(what, SESSIONS, size.seconds, pause) * 1e6
                for what in ("plain latency", "pool latency")
            )
            values.append(by_pool - alone)
            say(f"1 ms token, {name}: {alone:.0f} µs alone, {by_pool:.0f} µs by the pool")
        title = f"1 ms token, {name}: added by the pool"
        yield Figure(title, tuple(values), OVERHEAD_US, rising=False, unit="µs")


def overload(faulty: Faulty, sides: Sides, size: Size, say: Say) -> Iterator[Figure]:
    """Compare twice the best rate with seven tenths of it."""
    SMALL.simulate(faulty)
    side = sides.whole
    tails, refusals, goodputs = [], [], []
    for _ in range(size.rounds):
        best = side.call("pool", P256, SMALL.sessions, 2 * SMALL.sessions, size.seconds).rate
        moderate, over = (
            side.call("offer", SMALL.sessions, share * best, size.seconds, OFFERING)
            for share in (MODERATE, OVERLOAD)
        )
        tails.append(p99(over.accepted) / p99(moderate.accepted))
        refusals.append(p99(over.refused) * 1000)
        goodputs.append(len(over.accepted) / size.seconds / best)
        say(
            f"overload: best {best:.0f} a second; p99 {p99(moderate.accepted) * 1000:.1f} ms"
            f" at {MODERATE:.0%}, {p99(over.accepted) * 1000:.1f} ms at {OVERLOAD:.0%}"
        )
    yield Figure("overload: p99 / p99 at 70 %", tuple(tails), TAIL, rising=False)
    yield Figure("overload: p99 of refusals", tuple(refusals), REFUSED_MS, rising=False, unit="ms")
    yield Figure("overload: goodput / best", tuple(goodputs), GOODPUT, rising=True)


def p99(times: list[float]) -> float:
    """Return the 99th percentile; infinite where nothing was measured."""
    ordered = sorted(times)
    return ordered[int(0.99 * (len(ordered) - 1))] if ordered else math.inf
