"""Sums up each second while a run is under way: for the view, and the server's CPU."""

import time
from itertools import accumulate

from loadtest.live import Progress, View
from loadtest.profile import Profile
from loadtest.usage import Cpu
from loadtest.worker import Tick

SECOND = 1.0


class Watch:
    """Follows one run that starts at ``start``, in seconds of ``time.monotonic``.

    Attributes:
        cores: CPU seconds of the server in each second of the run.
    """

    def __init__(self, profile: Profile, start: float, cpu: Cpu | None, view: View) -> None:
        self._phases = list(
            zip(accumulate(phase.seconds for phase in profile.phases), profile.phases, strict=True)
        )
        self._start = start
        self._cpu = cpu
        self._view = view
        self._pulses = 0
        self._cpu_before: float | None = None
        self._latencies: list[float] = []
        self._lags: list[float] = []
        self._sent = self._done = 0
        self.cores: dict[int, float] = {}

    def add(self, tick: Tick) -> None:
        """Take in what a worker saw."""
        self._latencies.extend(tick.latencies)
        self._lags.extend(tick.lags)
        self._sent += len(tick.lags)
        self._done += len(tick.latencies)

    def until_next(self) -> float:
        """Return the seconds until the next pulse is due."""
        return max(self._start + self._pulses * SECOND - time.monotonic(), 0.0)

    def pulse(self) -> None:
        """If a second is over, note the server's CPU time and show the second."""
        if self.until_next() > 0:
            return
        self._measure(self._pulses - 1)
        if self._latencies or self._lags:
            self._view.show(self._progress())
        self._latencies, self._lags = [], []
        self._pulses += 1

    def _measure(self, second: int) -> None:
        if self._cpu is None:
            return
        used = self._cpu.seconds()
        if self._cpu_before is not None:
            self.cores[second] = used - self._cpu_before
        self._cpu_before = used

    def _progress(self) -> Progress:
        elapsed = self._pulses * SECOND
        phase = next((phase for end, phase in self._phases if elapsed <= end), None)
        latencies, lags = sorted(self._latencies), sorted(self._lags)
        return Progress(
            elapsed=elapsed,
            seconds=self._phases[-1][0],
            phase=phase.name if phase else "last answers",
            offered=len(lags),
            completed=len(latencies),
            in_flight=self._sent - self._done,
            p50=_ranked(latencies, 0.5),
            p99=_ranked(latencies, 0.99),
            slowest=_ranked(latencies, 1.0),
            lag_p99=_ranked(lags, 0.99),
            cores=self.cores.get(self._pulses - 1),
        )


def _ranked(ascending: list[float], share: float) -> float:
    if not ascending:
        return 0.0
    return ascending[min(int(share * len(ascending)), len(ascending) - 1)] * 1000
