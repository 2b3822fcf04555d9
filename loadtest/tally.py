"""From what one worker saw to figures that add up with those of the others."""

from __future__ import annotations  # array[float] is for type checkers only

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from loadtest.checks import Checker, Fault
from loadtest.histogram import Histogram
from loadtest.plan import Plan
from loadtest.profile import Profile
from loadtest.sending import Body, Completion


@dataclass(frozen=True, slots=True)
class Record:
    """All that a worker noted.

    ``plan.due`` and ``sent`` are in seconds from the start; the ends of the calls,
    ``start`` and ``ended``, when it stopped waiting, are of ``time.monotonic``.
    """

    profile: Profile
    plan: Plan
    sent: array[float]
    completed: list[Completion]
    start: float
    ended: float


@dataclass(frozen=True, slots=True)
class CallPart:
    """One kind of call, measured phases only.

    Attributes:
        arrivals: calls that were due.
        outcomes: of their payloads, counted.
        latency: from when a call was due to its end, whatever the end; encoded.
    """

    arrivals: int
    outcomes: dict[str, int]
    latency: str


@dataclass(frozen=True, slots=True)
class SecondPart:
    """One second from the start, of all phases.

    Attributes:
        due, completed: calls that were due in it, and that ended in it.
        payloads: payloads of the calls that ended in it.
        latency: of the calls that were due in it; encoded.
        lag: how late those were sent; encoded.
    """

    due: int
    completed: int
    payloads: int
    latency: str
    lag: str


@dataclass(frozen=True, slots=True)
class Part:
    """A worker's figures.

    Attributes:
        calls: in the order of the profile.
        seconds: by second from the start.
        lag: how late calls were sent, measured phases only; encoded.
        last_end: when the last measured call ended, in seconds from the start.
        cpu_seconds: what sending and receiving cost the worker.
        unexpected, examples, verified, audit_indexes: see Checker.
    """

    calls: list[CallPart]
    seconds: dict[int, SecondPart]
    lag: str
    last_end: float
    cpu_seconds: float
    unexpected: dict[str, int]
    examples: list[str]
    verified: int
    audit_indexes: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class _End:
    """When a call ended, in seconds from the start, and with what; None: it did not."""

    at: float
    body: Body | None


@dataclass(slots=True)
class _Second:
    due: int = 0
    completed: int = 0
    payloads: int = 0
    latencies: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    def part(self) -> SecondPart:
        latency, lag = Histogram(self.latencies).encode(), Histogram(self.lags).encode()
        return SecondPart(self.due, self.completed, self.payloads, latency, lag)


def part(record: Record, checker: Checker, cpu_seconds: float) -> Part:
    """Judge every call and sum up."""
    plan = record.plan
    ends = _ends(record, checker)
    latencies = [end.at - due for end, due in zip(ends, plan.due, strict=True)]
    lags = [sent - due for sent, due in zip(record.sent, plan.due, strict=True)]
    return Part(
        calls=_calls(record, checker, ends, latencies),
        seconds=_seconds(record, ends, latencies, lags),
        lag=Histogram(_measured(plan, lags)).encode(),
        last_end=max(_measured(plan, [end.at for end in ends]), default=0.0),
        cpu_seconds=cpu_seconds,
        unexpected=dict(checker.unexpected),
        examples=checker.examples,
        verified=checker.verified,
        audit_indexes=checker.audit_indexes,
    )


def _ends(record: Record, checker: Checker) -> Sequence[_End]:
    """Return the end of each call; a second one is an answer that nobody asked for."""
    ends: dict[int, _End] = {}
    for place, at, body in record.completed:
        if place is None or place in ends:
            checker.report("any call", Fault.UNASKED, "unknown or answered already")
        else:
            ends[place] = _End(at - record.start, body)
    lost = _End(record.ended - record.start, None)
    return [ends.get(place, lost) for place in range(len(record.plan.due))]


def _measured(plan: Plan, values: Sequence[float]) -> Iterable[float]:
    return (value for value, counts in zip(values, plan.measured, strict=True) if counts)


def _calls(
    record: Record, checker: Checker, ends: Sequence[_End], latencies: Sequence[float]
) -> list[CallPart]:
    """Judge all calls, and count those of measured phases."""
    plan, calls = record.plan, record.profile.calls
    outcomes: list[Counter[str]] = [Counter() for _ in calls]
    times: list[list[float]] = [[] for _ in calls]
    for place, (number, end) in enumerate(zip(plan.calls, ends, strict=True)):
        found = checker.judge(calls[number], plan.wires[place], end.body)
        if plan.measured[place]:
            outcomes[number].update(found)
            times[number].append(latencies[place])
    return [
        CallPart(len(time), dict(outcome), Histogram(time).encode())
        for outcome, time in zip(outcomes, times, strict=True)
    ]


def _seconds(
    record: Record, ends: Sequence[_End], latencies: Sequence[float], lags: Sequence[float]
) -> dict[int, SecondPart]:
    seconds: defaultdict[int, _Second] = defaultdict(_Second)
    for place, (due, end) in enumerate(zip(record.plan.due, ends, strict=True)):
        second = seconds[int(due)]
        second.due += 1
        second.latencies.append(latencies[place])
        second.lags.append(lags[place])
        if end.body is not None:
            last = seconds[int(end.at)]
            last.completed += 1
            last.payloads += record.profile.calls[record.plan.calls[place]].batch
    return {number: second.part() for number, second in sorted(seconds.items())}
