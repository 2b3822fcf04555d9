"""A run's figures: what report.json holds, and how the workers' parts become it."""

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import msgspec

from loadtest import histogram, inside
from loadtest.checks import SHED, Fault, reused
from loadtest.errors import LoadtestError
from loadtest.histogram import Histogram
from loadtest.inside import Inside
from loadtest.profile import Call, Phase, Profile
from loadtest.schedule import measured_spans, phase_numbers
from loadtest.scrape import Scraper
from loadtest.tally import CallPart, Part, SecondPart

VERSION = 1
MAX_EXAMPLES = 10
AFTERWARDS = Phase(name="afterwards", seconds=1, rate=1, measured=False)  # late answers
Milliseconds = dict[str, float]
"""p50, p90, p99, p99.9 and max."""


@dataclass(frozen=True, slots=True)
class CallStats:
    """One kind of call in the measured phases, or all of them together.

    Attributes:
        expect: the outcome that each payload should have.
        arrivals, payloads: how many were due.
        outcomes: of the payloads, counted.
        latency_ms: from when a call was due to its end, whatever the end.
        histogram: the same in full, HdrHistogram V2, microseconds.
    """

    name: str
    method: str
    expect: str
    arrivals: int
    payloads: int
    outcomes: dict[str, int]
    latency_ms: Milliseconds
    histogram: str


@dataclass(frozen=True, slots=True)
class Second:
    """One second of the run.

    Attributes:
        measured: whether its middle lies in a measured phase; no second after the last phase is.
        due, completed: calls due in it, and calls that ended in it.
        payloads: payloads of the calls that ended in it.
        latency_ms: of the calls that were due in it.
        lag_p99_ms: how late they were sent.
        server_cores: CPU seconds of the server; None when not watched.
    """

    second: int
    phase: str
    measured: bool
    due: int
    completed: int
    payloads: int
    latency_ms: Milliseconds
    lag_p99_ms: float
    server_cores: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sweep; ``bend`` says why the knee is passed, empty when it is not."""

    rate: float
    achieved_share: float
    latency_ms: Milliseconds
    server_cores: float | None
    bend: str


@dataclass(frozen=True, slots=True)
class Report:
    """A run.

    Attributes:
        profile: the profile as it was run.
        seconds: the length of the measured phases.
        overrun_seconds: how long after their end the last measured call ended.
        total: all calls together; calls: each kind.
        lag_ms: how late calls were sent, and ``lag_histogram`` in full.
        generator_cpu_seconds: of all workers, over all phases.
        verified_share: of the signatures, and how many that were: ``verified``.
        unexpected: how often each "call: outcome" came that should not have come,
            over all phases; ``examples`` are the first few.
        shed: the same of those that the profile allows, since it sends too much.
        invalid: why the figures say nothing about the server; empty is good.
        steps, knee: of a sweep: the highest rate before the bend, calls a second.
        inside: the run as the server saw it; None when its metrics were not read.
    """

    schema: int
    created_time: str
    description: str
    target: str
    profile: dict[str, Any]
    host: dict[str, str]
    seconds: float
    overrun_seconds: float
    total: CallStats
    calls: list[CallStats]
    timeline: list[Second]
    lag_ms: Milliseconds
    lag_histogram: str
    generator_cpu_seconds: float
    verified: int
    verified_share: float
    unexpected: dict[str, int]
    examples: list[str]
    invalid: list[str]
    steps: list[Step]
    knee: float | None
    inside: Inside | None = None
    shed: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every outcome was the expected one and the figures are valid."""
        return not self.unexpected and not self.invalid


def summarise(
    profile: Profile,
    target: str,
    parts: Sequence[Part],
    cores: Mapping[int, float],
    verify: float,
    scraper: Scraper | None = None,
) -> Report:
    """Merge the workers' parts, and set the server's figures beside them.

    Args:
        profile: what was run.
        target: the server's address.
        parts: one a worker.
        cores: CPU seconds of the server in each second of the run; without any, what
            the server says itself.
        verify: the share of signatures that was verified.
        scraper: what read the server's metrics.
    """
    calls = [
        _stats(call, [part.calls[place] for part in parts])
        for place, call in enumerate(profile.calls)
    ]
    found = _inside(profile, scraper)
    unexpected = _unexpected(parts)
    shed = _shed(unexpected) if profile.overload else {}
    spans = measured_spans(profile.phases)
    lag = histogram.merged(part.lag for part in parts)
    return Report(
        schema=VERSION,
        created_time=datetime.now(UTC).isoformat(timespec="seconds"),
        description=profile.description,
        target=target,
        profile=profile.model_dump(mode="json", by_alias=True),
        host=host(),
        seconds=sum(end - start for start, end in spans),
        overrun_seconds=max(max(part.last_end for part in parts) - spans[-1][1], 0.0),
        total=_together(calls),
        calls=calls,
        timeline=_timeline(profile, parts, cores or (inside.cores(found) if found else {})),
        lag_ms=lag.percentiles_ms(),
        lag_histogram=lag.encode(),
        generator_cpu_seconds=sum(part.cpu_seconds for part in parts),
        verified=sum(part.verified for part in parts),
        verified_share=verify,
        unexpected={label: count for label, count in unexpected.items() if label not in shed},
        examples=[
            example
            for part in parts
            for example in part.examples
            if example.partition(", ")[0] not in shed
        ][:MAX_EXAMPLES],
        invalid=_invalid(profile, lag),
        steps=[],
        knee=None,
        inside=found,
        shed=shed,
    )


def _inside(profile: Profile, scraper: Scraper | None) -> Inside | None:
    if scraper is None:
        return None
    numbers = range(int(sum(phase.seconds for phase in profile.phases)))
    phases = phase_numbers(profile.phases, [number + 0.5 for number in numbers])
    measured = {
        number
        for number, place in zip(numbers, phases, strict=True)
        if profile.phases[place].measured
    }
    return inside.summarise(scraper.readings, measured, scraper.failures)


def _stats(call: Call, parts: Sequence[CallPart]) -> CallStats:
    latency = histogram.merged(part.latency for part in parts)
    arrivals = sum(part.arrivals for part in parts)
    return CallStats(
        name=call.name,
        method=call.method,
        expect=call.expect,
        arrivals=arrivals,
        payloads=arrivals * call.batch,
        outcomes=_added(part.outcomes for part in parts),
        latency_ms=latency.percentiles_ms(),
        histogram=latency.encode(),
    )


def _together(calls: Sequence[CallStats]) -> CallStats:
    latency = histogram.merged(call.histogram for call in calls)
    return CallStats(
        name="all calls",
        method="",
        expect="",
        arrivals=sum(call.arrivals for call in calls),
        payloads=sum(call.payloads for call in calls),
        outcomes=_added(call.outcomes for call in calls),
        latency_ms=latency.percentiles_ms(),
        histogram=latency.encode(),
    )


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total.most_common())


def _timeline(profile: Profile, parts: Sequence[Part], cores: Mapping[int, float]) -> list[Second]:
    numbers = sorted({number for part in parts for number in part.seconds})
    phases = phase_numbers(profile.phases, [number + 0.5 for number in numbers])
    ends = sum(phase.seconds for phase in profile.phases)
    timeline = []
    for number, place in zip(numbers, phases, strict=True):
        found = [part.seconds[number] for part in parts if number in part.seconds]
        phase = profile.phases[place] if number < ends else AFTERWARDS
        timeline.append(_second(number, found, cores.get(number), phase))
    return timeline


def _second(number: int, parts: Sequence[SecondPart], cores: float | None, phase: Phase) -> Second:
    return Second(
        second=number,
        phase=phase.name,
        measured=phase.measured,
        due=sum(part.due for part in parts),
        completed=sum(part.completed for part in parts),
        payloads=sum(part.payloads for part in parts),
        latency_ms=histogram.merged(part.latency for part in parts).percentiles_ms(),
        lag_p99_ms=histogram.merged(part.lag for part in parts).percentile_ms(99),
        server_cores=cores,
    )


def _unexpected(parts: Sequence[Part]) -> dict[str, int]:
    indexes: dict[str, list[int]] = {}
    for part in parts:
        for key, found in part.audit_indexes.items():
            indexes.setdefault(key, []).extend(found)
    twice = {
        f"key {key}: {Fault.AUDIT_INDEX_REUSED}": number for key, number in reused(indexes).items()
    }
    return _added([*(part.unexpected for part in parts), twice])


def _shed(unexpected: Mapping[str, int]) -> dict[str, int]:
    return {label: count for label, count in unexpected.items() if label.partition(": ")[2] in SHED}


def _invalid(profile: Profile, lag: Histogram) -> list[str]:
    late = lag.percentile_ms(99)
    if late <= profile.max_lag_ms:
        return []
    found = f"p99 {late:.2f} ms, at most {profile.max_lag_ms:g} ms"
    return [f"the generator sent late: {found}; more workers, a lower rate, or another machine"]


def host() -> dict[str, str]:
    """Return what a figure depends on beside the code: the machine and its software."""
    return {
        "cpus": str(os.cpu_count()),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "grpc": str(grpc.__version__),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(report: Report, path: Path) -> None:
    """Write report.json."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))


def read(path: Path) -> Report:
    """Read a report.json.

    Raises:
        LoadtestError: there is none, or it is not one of this version.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Report)
    except OSError as error:
        raise LoadtestError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise LoadtestError(f"{path}: not a report: {error}") from None
    if found.schema != VERSION:
        raise LoadtestError(f"{path}: schema {found.schema}; this is version {VERSION}")
    return found
