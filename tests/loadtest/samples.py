"""Profiles and reports for the load generator's tests, and how to run one here."""

import time
from collections.abc import Sequence
from multiprocessing import Pipe
from pathlib import Path

from loadtest import peers, report, runner, worker
from loadtest.histogram import Histogram
from loadtest.profile import Call, Phase, Profile
from loadtest.report import Report
from loadtest.tally import CallPart, Part, SecondPart
from loadtest.target import Target

POLICY = peers.POLICY.read_text(encoding="utf-8")
ORDER = Call(name="order", client="desk", key="orders", payload="intent")


def run_here(profile: Profile, address: str, certificates: Path) -> Report:
    """Run a profile's only worker in this process."""
    target = Target(address, certificates)
    (task,) = runner.tasks(profile, target, 1.0)
    ours, theirs = Pipe()
    ours.send(time.monotonic() + 0.5)
    part = worker.work(task, theirs)
    return report.summarise(profile, address, [part], {}, 1.0)


def profile_of(
    *calls: Call, seconds: float = 0.5, rate: float = 100.0, timeout_seconds: float = 5.0
) -> Profile:
    """Return a profile for one worker with one phase and an even schedule."""
    return Profile.model_validate(
        {
            "schema": 1,
            "description": "A test.",
            "arrivals": "uniform",
            "workers": 1,
            "timeout_seconds": timeout_seconds,
            "max_lag_ms": 1000.0,  # a test's machine may be busy
            "calls": list(calls) or [ORDER],
            "phases": [Phase(name="steady", seconds=seconds, rate=rate)],
        }
    )


def part_of(
    seconds: Sequence[Sequence[float]], outcome: str = "SIGNED", lag: float = 0.0001
) -> Part:
    """Return a part whose calls took, second by second, these times in seconds."""
    latencies = [latency for second in seconds for latency in second]
    lags = Histogram([lag] * len(latencies)).encode()
    return Part(
        calls=[CallPart(len(latencies), {outcome: len(latencies)}, Histogram(latencies).encode())],
        seconds={
            number: SecondPart(
                len(second), len(second), len(second), Histogram(second).encode(), lags
            )
            for number, second in enumerate(seconds)
        },
        lag=lags,
        last_end=float(len(seconds)),
        cpu_seconds=0.1,
        unexpected={} if outcome == "SIGNED" else {f"order: {outcome}": len(latencies)},
        examples=[],
        verified=len(latencies),
        audit_indexes={},
    )


def report_of(part: Part, max_lag_ms: float = 10.0) -> Report:
    """Return the report of a run with one worker."""
    seconds = len(part.seconds)
    profile = profile_of(seconds=float(seconds)).model_copy(update={"max_lag_ms": max_lag_ms})
    cores = dict.fromkeys(range(seconds), 0.5)
    return report.summarise(profile, "127.0.0.1:1", [part], cores, 1.0)
