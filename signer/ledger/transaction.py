"""One ledger transaction, independent of the engine."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from policy.root import Root
from signer.approval import Approval
from signer.audit import record
from signer.audit.merkle import HASH_BYTES, Tree
from signer.ledger.memory import Active, Memory
from signer.ledger.rows import Request, State
from signer.ledger.store import Changes

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, as what is reckoned from it


class Transaction:
    """Reads the state, collects what changes, and writes it in ``save``.

    ``now_ms`` is the newest time the ledger ever saw: where the clock was set
    back, time stands still until it has caught up. ``time`` and ``clock`` say so in
    records. ``approvals`` are to be issued when the transaction is durable; ``last`` is to be
    called when nothing but the commit is left.
    """

    def __init__(self, memory: Memory, clock_ms: int, lease_ms: int) -> None:
        self.store = store = memory.store
        self._memory = memory
        self.before = self.state = store.state()
        self.now_ms = max(clock_ms, self.before.clock_ms)
        self.lease_ms = self.now_ms + lease_ms
        self.clock = _clock(self.now_ms - clock_ms)
        self.time = _rfc3339(self.now_ms)
        self._leaves: list[tuple[int, bytes]] = []
        self._requests: dict[tuple[str, str], Request] = {}
        self._replaced: list[int] = []
        self.approvals: list[Approval] = []
        self.last: list[Callable[[], None]] = []
        memory.catch_up(self.before, self.now_ms)
        self.windows = memory.windows
        self.load_control()

    def load_control(self) -> None:
        """Read what control operations may have changed."""
        self.policy: Active | None = self._memory.policy(self.state)
        self.root: Root | None = self._memory.root(self.state)
        self.stopped = self._memory.stopped(self.state)

    def append(self, **members: Any) -> int:
        """Add a record to the audit log and return its index."""
        return self.add(record.Record(index=self.size, time=self.time, clock=self.clock, **members))

    def add(self, entry: record.Record) -> int:
        """Add a record that has this transaction's ``size`` and ``time``; return its index."""
        self._leaves.append((entry.index, record.encode(entry)))
        return entry.index

    @property
    def size(self) -> int:
        """How many leaves there are, this transaction's own among them."""
        return self.before.tree_size + len(self._leaves)

    def leaves(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Return at most ``limit`` leaves from index ``start`` on, its own among them."""
        stored = self.store.leaves(start, limit) if start < self.before.tree_size else []
        own = max(0, start - self.before.tree_size)
        return stored or self._leaves[own : own + limit]

    def find(self, caller: str, request_id: str) -> Request | None:
        """Find what a request id is bound to, seen from within this transaction."""
        return self._requests.get((caller, request_id)) or self.store.request(caller, request_id)

    def put(self, request: Request, earlier: Request | None) -> None:
        """Bind a request id, or bring forward what ``find`` says that it is bound to."""
        self._requests[request.caller, request.request_id] = request
        if earlier is not None:
            self._replaced.append(earlier.reservation)

    @property
    def bound(self) -> int:
        """How many request ids were written."""
        return len(self._requests)

    def save(self) -> State:
        """Write everything; returns the state that is to be committed."""
        grown = tree(self.before)
        grown.extend(body for _, body in self._leaves)
        after = self.state._replace(
            seq=self.before.seq + 1,
            clock_ms=self.now_ms,
            tree_size=grown.size,
            tree_peaks=b"".join(grown.peaks),
        )
        windows = self.windows
        windows.sweep()
        changes = Changes(
            self._leaves,
            self._replaced,
            self._requests.values(),
            windows.changed.values(),
            windows.expired,
            windows.instants(),
        )
        self.store.write(self.before, after, changes)
        return after


def tree(state: State) -> Tree:
    """Return the tree over all leaves."""
    peaks = state.tree_peaks
    hashes = [peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)]
    return Tree(state.tree_size, hashes)


def _clock(behind_ms: int) -> record.Clock:
    return record.Clock("behind", behind_ms) if behind_ms else record.Clock("ok")


def _rfc3339(time_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds") + "Z"
