"""The pool on a simulated HSM in the network: its best rate, what it adds to a call, overload."""

import math
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from loadtest.bench.remote import Remote
from loadtest.bench.sample import Sample
from loadtest.bench.verdict import Figure
from loadtest.pool.side import P256, Place, Say, Seen, Size, open_side
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

Sides = dict[str, list[Remote[object]]]


def measure(faulty: Faulty, place: Place, size: Size, say: Say) -> Iterator[Figure]:
    """Measure everything, by one process, by one on one core, and by one on each core.

    The last is how the supervisor starts the signing processes.
    """
    with ExitStack() as stack:
        whole = stack.enter_context(Remote[object](open_side, place))
        each = [
            stack.enter_context(Remote[object](open_side, replace(place, cores=frozenset({core}))))
            for core in sorted(place.cores)
        ]
        sides = {"one process": [whole], "one core": each[:1], "a process a core": each}
        yield from saturation(faulty, place, sides, size, say)
        del sides["a process a core"]
        yield from overhead(faulty, sides, size, say)
        yield from overload(faulty, whole, size, say)


def saturation(
    faulty: Faulty, place: Place, sides: Sides, size: Size, say: Say
) -> Iterator[Figure]:
    """Compare the best rate with that of a C loop with the best number of threads."""
    FAST.simulate(faulty)
    best = max(C_THREADS, key=lambda threads: _in_c(place, threads, size.seconds / 2).rate)
    shares: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(size.rounds):
        alone = _in_c(place, best, size.seconds)
        say(f"appliance, C by {best} threads: {alone.rate:.0f} a second")
        for name, processes in sides.items():
            rate = _together(processes, size.seconds)
            shares[name].append(rate / alone.rate)
            say(f"appliance, pool by {name}: {rate:.0f} a second")
    for name, values in shares.items():
        yield Figure(f"appliance, {name}: pool / C", tuple(values), SATURATION, rising=True)


def _together(processes: list[Remote[object]], seconds: float) -> float:
    """Let processes sign side by side; returns signatures a second."""
    for process in processes:
        process.send("pool", P256, FAST.sessions, 2 * FAST.sessions, seconds)
    found = [process.result() for process in processes]
    return sum(sample.rate for sample in found if isinstance(sample, Sample))


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
    for name, (process, *_) in sides.items():
        values = []
        for _ in range(size.rounds):
            alone = process.call("plain latency", SESSIONS, size.seconds, pause)
            by_pool = process.call("pool latency", SESSIONS, size.seconds, pause)
            assert isinstance(alone, float)  # noqa: S101 - for the type
            assert isinstance(by_pool, float)  # noqa: S101 - for the type
            values.append((by_pool - alone) * 1e6)
            say(f"1 ms, {name}: {alone * 1e6:.0f} µs alone, {by_pool * 1e6:.0f} µs by the pool")
        title = f"1 ms token, {name}: added by the pool"
        yield Figure(title, tuple(values), OVERHEAD_US, rising=False, unit="µs")


def overload(faulty: Faulty, side: Remote[object], size: Size, say: Say) -> Iterator[Figure]:
    """Compare twice the best rate with seven tenths of it."""
    SMALL.simulate(faulty)
    tails, refusals, goodputs = [], [], []
    for _ in range(size.rounds):
        best = side.call("pool", P256, SMALL.sessions, 2 * SMALL.sessions, size.seconds)
        assert isinstance(best, Sample)  # noqa: S101 - for the type
        moderate, over = (
            _offered(side, share * best.rate, size.seconds) for share in (MODERATE, OVERLOAD)
        )
        tails.append(p99(over.accepted) / p99(moderate.accepted))
        refusals.append(p99(over.refused) * 1000)
        goodputs.append(len(over.accepted) / size.seconds / best.rate)
        say(
            f"overload: best {best.rate:.0f} a second; p99 {p99(moderate.accepted) * 1000:.1f} ms"
            f" at {MODERATE:.0%}, {p99(over.accepted) * 1000:.1f} ms at {OVERLOAD:.0%}"
        )
    yield Figure("overload: p99 / p99 at 70 %", tuple(tails), TAIL, rising=False)
    yield Figure("overload: p99 of refusals", tuple(refusals), REFUSED_MS, rising=False, unit="ms")
    yield Figure("overload: goodput / best", tuple(goodputs), GOODPUT, rising=True)


def _offered(side: Remote[object], rate: float, seconds: float) -> Seen:
    seen = side.call("offer", SMALL.sessions, rate, seconds, OFFERING)
    assert isinstance(seen, Seen)  # noqa: S101 - for the type
    return seen


def p99(times: list[float]) -> float:
    """Return the 99th percentile; infinite where nothing was measured."""
    ordered = sorted(times)
    return ordered[int(0.99 * (len(ordered) - 1))] if ordered else math.inf
