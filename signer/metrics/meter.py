"""Counts what the parts of the service tell; see each method for who tells it."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

from signer.codes import Code
from signer.errors import SigngateError
from signer.metrics import families
from signer.metrics.counts import CallCounts, Counter, Histogram
from signer.metrics.samples import Number, Sample, number

Source = Callable[[], Iterable[Sample]]
UNKNOWN = "unknown"
WITH_PAYLOADS = frozenset(
    f"signer.v1.SigningService/{name}" for name in ("SignPayload", "BatchSignPayloads")
)


class _Signatures(NamedTuple):
    queued: Histogram
    served: Histogram
    total: Histogram

    @classmethod
    def of(cls, key: str, slot: str) -> Self:
        return cls(
            Histogram(families.QUEUE_SECONDS, key, slot),
            Histogram(families.SERVICE_SECONDS, key, slot),
            Histogram(families.TOTAL_SECONDS, key, slot),
        )


class Meter:
    """One process's counters and histograms, and the gauges that are read when asked for."""

    def __init__(self) -> None:
        self._payloads = Counter(families.PAYLOADS)
        self._shed = Counter(families.SHED)
        self._errors = Counter(families.ERRORS)
        self._canaries = Counter(families.CANARIES)
        self._canary_signed_at: dict[str, float] = {}
        self._commits = Histogram(families.COMMIT_SECONDS)
        self._batches = Histogram(families.BATCH_REQUESTS)
        self._failed_commits = Counter(families.FAILED_COMMITS)
        self._failed_commits.add(by=0)
        self._sources: list[Source] = [
            self._payloads.samples,
            self._shed.samples,
            self._errors.samples,
            self._canaries.samples,
            self._canary_times,
            self._commits.samples,
            self._batches.samples,
            self._failed_commits.samples,
        ]
        self._keys: frozenset[str] = frozenset()
        self._calls: dict[str, CallCounts] = {}
        self._signatures: dict[tuple[str, str], _Signatures] = {}
        self._making = threading.Lock()

    def know(self, keys: Iterable[str]) -> None:
        """Set the keys that may be labels; all others are counted as unknown."""
        self._keys = frozenset(keys)

    def watch(self, source: Source) -> None:
        """Read gauges from a source whenever a snapshot is taken."""
        self._sources.append(source)

    def calls(self, method: str) -> CallCounts:
        """Return, to the transport, where the calls of a method are counted."""
        with self._making:
            found = self._calls.get(method)
            if found is None:
                found = self._calls[method] = CallCounts(
                    method, families.CALLS_IN_FLIGHT, families.CALLS, families.CALL_SECONDS
                )
                self.watch(found.samples)
            return found

    def shed(self, method: str) -> None:
        """Take from the transport a call that it refused unread.

        How many payloads it had, and of which keys, nobody knows: it counts as one.
        """
        self._shed.add(method)
        self.calls(method).unbegun("RESOURCE_EXHAUSTED")
        if method in WITH_PAYLOADS:
            self._payloads.add(UNKNOWN, Code.RATE_LIMITED)

    def finished(self, key: str, outcome: str) -> None:
        """Take from the use case what came of a payload."""
        self._payloads.add(key if key in self._keys else UNKNOWN, outcome)

    def signed(
        self, key: str, slot: str, *, queued: Sequence[float], served: Sequence[float], total: float
    ) -> None:
        """Take from the pool the times of signatures, in seconds; ``total`` is of each."""
        found = self._signatures.get((key, slot)) or self._signatures_of(key, slot)
        found.queued.add(*queued)
        found.served.add(*served)
        found.total.add(*[total] * len(served))

    def _signatures_of(self, key: str, slot: str) -> "_Signatures":
        with self._making:
            found = self._signatures.get((key, slot))
            if found is None:
                found = self._signatures[key, slot] = _Signatures.of(key, slot)
                for histogram in found:
                    self.watch(histogram.samples)
            return found

    def failed(self, slot: str, kind: str, code: str) -> None:
        """Take from the pool a failure, by what is done about it and by its code."""
        self._errors.add(slot, kind, code)

    def canary(self, slot: str, outcome: str) -> None:
        """Take from the canary what came of one."""
        self._canaries.add(slot, outcome)
        if outcome == "signed":
            self._canary_signed_at[slot] = time.time()

    def _canary_times(self) -> list[Sample]:
        times = self._canary_signed_at.copy()
        return [number(families.CANARY_SIGNED_AT, at, slot) for slot, at in times.items()]

    def committed(self, seconds: float, requests: int) -> None:
        """Take from the ledger how long a transaction took, and for how many requests."""
        self._commits.add(seconds)
        if requests:  # else it had outcomes only
            self._batches.add(requests)

    def not_committed(self) -> None:
        """Take from the ledger that a transaction failed."""
        self._failed_commits.add()

    def snapshot(self) -> tuple[Sample, ...]:
        """Return all samples; what can't be read now is left out."""
        samples: list[Sample] = [Number(families.PROCESS_UP.name, (), 1.0)]
        for source in tuple(self._sources):
            try:
                samples += source()
            except SigngateError:
                continue
        return tuple(samples)
