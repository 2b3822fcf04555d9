"""What deciding and recording costs, by how much a ledger and its policy hold."""

import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

from loadtest import payloads
from loadtest.bench import prefill, signers
from loadtest.bench.sample import Sample
from policy import document
from policy.payloads import FORMATS, decode
from signer.approval import Mint
from signer.ledger import Ledger, Settings
from signer.model import Caller, Granted, Outcome, SignRequest

BATCH = 64
WARM_UP = 800  # batches at most: a ledger in use has read before what it needs often
CALLER = Caller("spiffe://firm.example/desk", "ab" * 32, "10.0.0.1:50000")
SIGNATURE = b"\1" * 64

Point = tuple[str, int]
"""An axis and how much of it: ``grants``, ``limits`` or ``records``."""


class Opened:
    """A ledger with so much of one thing, and requests that it has never seen."""

    def __init__(
        self,
        directory: Path,
        point: Point,
        request_id: Callable[[int], str] = prefill.request_id,
    ) -> None:
        """Make one in ``directory``; ``request_id`` names a request by its serial number."""
        self._request_id = request_id
        axis, size = point
        path = directory / f"{axis}-{size}.db"
        policy = signers.policy(**{axis: size} if axis != "records" else {})
        if axis == "records":
            self._open(path, policy).close()
            prefill.fill(path, size, time.time_ns() // 1_000_000)
        self._mint = Mint()
        self.ledger = self._open(path, policy)
        self._kind = payloads.KINDS["intent"]
        self._expiry = int(time.time()) + 86_400
        self._serial = 1 << 32  # far from what was filled in

    def _open(self, path: Path, policy: str) -> Ledger:
        load = partial(document.load, formats=FORMATS)
        mint = getattr(self, "_mint", None) or Mint()
        ledger = Ledger(path, mint, load, Settings(origin="bench.example/log"))
        ledger.bootstrap_policy(policy, by="bench")
        return ledger

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    def measure(self, batches: int, size: int = BATCH) -> Sample:
        """Decide and settle so many batches; the CPU time is this process's."""
        work = [[self._request() for _ in range(size)] for _ in range(batches)]
        began, cpu = time.perf_counter(), time.process_time()
        for requests in work:
            granted = [item for item in self.ledger.decide(requests) if isinstance(item, Granted)]
            if len(granted) < size:
                raise ValueError("a benchmark's request was refused")
            self.ledger.settle([Outcome(item.approval, SIGNATURE) for item in granted])
            for item in granted:
                self._mint.redeem(item.approval)
        self.ledger.flush()
        cpu = time.process_time() - cpu
        return Sample(size * batches, time.perf_counter() - began, cpu)

    def _request(self) -> SignRequest:
        self._serial += 1
        payload = self._kind.build(self._serial, self._expiry)
        return SignRequest(
            CALLER,
            self._request_id(self._serial),
            "orders",
            None,
            self._kind.format,
            sha256(payload).digest(),
            decode(self._kind.format, payload),
        )


def measuring(directory: Path) -> Callable[[Point, int], Sample]:
    """Return what measures a point by so many batches; its ledger stays open."""
    opened: dict[Point, Opened] = {}

    def measure(point: Point, batches: int) -> Sample:
        if point not in opened:
            opened[point] = Opened(directory, point)
            opened[point].measure(min(WARM_UP, point[1] // BATCH))
        return opened[point].measure(batches) if batches else Sample(1, 1.0, 0.0)

    return measure
