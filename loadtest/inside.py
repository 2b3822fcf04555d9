"""What the server itself says of a run: its queue, its token, its disk, its refusals, its CPU.

All figures are differences between two readings of counters that only grow, so the
server may have served others before, but not meanwhile: what those asked for is in them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadtest.scrape import Reading, Series
from signer.metrics import families as of

SPREADS = {
    "queue": of.QUEUE_SECONDS.name,
    "service": of.SERVICE_SECONDS.name,
    "commit": of.COMMIT_SECONDS.name,
}
CPU = "process_cpu_seconds_total"
GOOD = frozenset({"SIGNED", "REPLAYED", "VALIDATED"})
Grew = Mapping[Series, float]
"""By how much each series grew."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram of the server: exact counts and means, percentiles within its buckets.

    Attributes:
        what: ``queue``, a signature's wait for a session; ``service``, its try at the
            token; ``commit``, a transaction until it is durable.
        key, slot: whose; empty for all of them together.
        ms: mean, p50, p90 and p99 in milliseconds.
    """

    what: str
    key: str
    slot: str
    count: int
    ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class InsideSecond:
    """One second of the run.

    Attributes:
        times: of ``queue``, ``service`` and ``commit``, as in ``Spread.ms``; what did
            not happen is missing.
        outcomes: payloads that the server ended in it, by outcome.
        in_flight, waiting: at its end: calls that a handler was at, and signatures
            that waited for a session.
        cores: CPU seconds by process.
    """

    second: int
    times: dict[str, dict[str, float]]
    outcomes: dict[str, int]
    in_flight: int
    waiting: int
    cores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Inside:
    """The run as the server saw it.

    Attributes:
        spreads: of the measured seconds: each ``what`` as a whole, then by key and slot.
        outcomes: payloads of the measured seconds by "key: outcome".
        calls: calls of the measured seconds that did not end well, by "method: code".
        errors: the token's failures in them, by "slot: class, code".
        cpu_seconds: of the measured seconds by process.
        seconds: those that were read, measured or not.
        failures: readings that failed; what they missed is in the next second's.
    """

    spreads: list[Spread]
    outcomes: dict[str, int]
    calls: dict[str, int]
    errors: dict[str, int]
    cpu_seconds: dict[str, float]
    seconds: list[InsideSecond]
    failures: list[str]

    def spread(self, what: str) -> Spread | None:
        """Return one of the server's times as a whole."""
        return next((item for item in self.spreads if item.what == what and not item.key), None)

    @property
    def refused(self) -> dict[str, int]:
        """Payloads of the measured seconds that were not signed, by reason over all keys."""
        found: Counter[str] = Counter()
        for name, number in self.outcomes.items():
            found[name.rpartition(": ")[2]] += number
        return {name: number for name, number in found.most_common() if name not in GOOD}


def summarise(
    readings: Mapping[int, Reading], measured: Collection[int], failures: Sequence[str]
) -> Inside:
    """Make figures of the readings at the begin of each second.

    Args:
        readings: by second from the start of the run.
        measured: the seconds that count.
        failures: of readings that are missing.
    """
    numbers = sorted(readings)
    growth = {
        after - 1: grown(readings[before], readings[after]) for before, after in pairwise(numbers)
    }
    total: defaultdict[Series, float] = defaultdict(float)
    for series, value in (
        item for second, grew in growth.items() if second in measured for item in grew.items()
    ):
        total[series] += value
    return Inside(
        spreads=_spreads(total),
        outcomes=_counts(total, of.PAYLOADS.name, lambda s: f"{s.label('key')}: {_outcome(s)}"),
        calls=_counts(total, of.CALLS.name, _call),
        errors=_counts(total, of.ERRORS.name, _error),
        cpu_seconds=_cpu(total),
        seconds=[_second(number, grew, readings[number + 1]) for number, grew in growth.items()],
        failures=list(failures),
    )


def grown(before: Reading, after: Reading) -> Grew:
    """Return by how much each counter grew; one that fell began again with its process."""
    return {
        series: value - earlier if value >= (earlier := before.get(series, 0.0)) else value
        for series, value in after.items()
    }


def _second(number: int, grew: Grew, end: Reading) -> InsideSecond:
    wholes = {what: _buckets(grew, name) for what, name in SPREADS.items()}
    return InsideSecond(
        second=number,
        times={what: _ms(found) for what, found in wholes.items() if found.count},
        outcomes=_counts(grew, of.PAYLOADS.name, _outcome),
        in_flight=int(_sum(end, of.CALLS_IN_FLIGHT.name)),
        waiting=int(_sum(end, of.WAITING.name)),
        cores=_cpu(grew),
    )


def _counts(grew: Grew, name: str, label: Callable[[Series], str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for series, value in grew.items():
        if series.name == name and value:
            found[label(series)] += round(value)
    return {label: count for label, count in found.most_common() if label}


def _outcome(series: Series) -> str:
    return series.label("outcome")


def _call(series: Series) -> str:
    code = series.label("code")
    return "" if code == "OK" else f"{series.label('method')}: {code}"


def _error(series: Series) -> str:
    return f"{series.label('slot')}: {series.label('class')}, {series.label('code')}"


def _sum(reading: Reading, name: str) -> float:
    return sum(value for series, value in reading.items() if series.name == name)


def _cpu(grew: Grew) -> dict[str, float]:
    return {series.label("process"): value for series, value in grew.items() if series.name == CPU}


@dataclass(frozen=True, slots=True)
class _Buckets:
    """A histogram over some time: cumulative counts by upper bound in seconds."""

    count: float
    seconds: float
    below: Sequence[tuple[float, float]]

    def quantile(self, share: float) -> float:
        """Return an estimate in seconds: evenly spread within a bucket, as Prometheus has it."""
        wanted, low, seen = share * self.count, 0.0, 0.0
        for bound, count in self.below:
            if count >= wanted:
                if bound == float("inf") or count == seen:
                    return low
                return low + (bound - low) * (wanted - seen) / (count - seen)
            low, seen = bound, count
        return low


def _buckets(grew: Grew, name: str, **labels: str) -> _Buckets:
    """Add up a histogram's series over all processes and whatever is not in ``labels``."""
    wanted = labels.items()
    below: defaultdict[float, float] = defaultdict(float)
    sums: defaultdict[str, float] = defaultdict(float)
    for series, value in grew.items():
        base, _, kind = series.name.rpartition("_")
        if base == name and wanted <= dict(series.labels).items():
            if kind == "bucket":
                below[float(series.label("le"))] += value
            sums[kind] += value
    return _Buckets(sums["count"], sums["sum"], sorted(below.items()))


def _ms(found: _Buckets) -> dict[str, float]:
    return {
        "mean": found.seconds / found.count * 1000,
        **{f"p{share}": found.quantile(share / 100) * 1000 for share in (50, 90, 99)},
    }


def _spreads(grew: Grew) -> list[Spread]:
    found = []
    for what, name in SPREADS.items():
        owners = {
            (series.label("key"), series.label("slot"))
            for series in grew
            if series.name == f"{name}_count" and series.label("key")
        }
        for key, slot in (("", ""), *sorted(owners)):
            labels = {"key": key, "slot": slot} if key else {}
            buckets = _buckets(grew, name, **labels)
            if buckets.count:
                found.append(Spread(what, key, slot, round(buckets.count), _ms(buckets)))
    return found


def cores(inside: Inside) -> dict[int, float]:
    """Return the CPU seconds of all processes in each second."""
    return {item.second: sum(item.cores.values()) for item in inside.seconds}


def spreads_of_keys(inside: Inside) -> Iterable[tuple[Spread, Spread | None]]:
    """Yield the service time of each key and slot, with its queue's."""
    queues = {(item.key, item.slot): item for item in inside.spreads if item.what == "queue"}
    for item in inside.spreads:
        if item.what == "service" and item.key:
            yield item, queues.get((item.key, item.slot))
