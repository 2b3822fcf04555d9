"""Where the transport hands over its calls: each is shed, or read and then given to threads.

Of one caller only so many calls may wait, for their message, for their turn or in a round. The
newest beyond that are shed: refused at once, without a thread.
"""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from functools import partial
from typing import Any, cast

import structlog

from signer.rpc import duplex, transport
from signer.rpc.fair import FairPool
from signer.rpc.rounds import Joint, Rounds
from signer.rpc.transport import Arrived, Ending

LaneOf = Callable[[tuple[Any, ...]], str]
Shed = Callable[[str, tuple[Any, ...]], bool]
_log = structlog.get_logger(__name__)


class Front(Executor):
    """What ``grpc.server`` has for its pool.

    ``lane_of`` names the lane of a submission by its arguments; ``shed`` refuses one whose
    lane is full, or returns False for what is to run all the same, and soon. Calls of the
    ``joint`` method are answered together.
    """

    def __init__(
        self,
        threads: int,
        max_waiting: int,
        lane_of: LaneOf,
        shed: Shed,
        joint: Joint | None = None,
    ) -> None:
        """Start the threads; of one lane ``max_waiting`` calls may wait."""
        self._lane_of = lane_of
        self._shed = shed
        self._joint = joint
        self._most_waiting = max_waiting
        self._waiting: dict[str, int] = {}
        self._lock = threading.Lock()
        self._rounds: dict[Hashable, Rounds] = {}
        self._pool = FairPool(threads)

    def is_full(self, lane: str) -> bool:
        """Whether as many calls of a lane wait as may."""
        return self._waiting.get(lane, 0) >= self._most_waiting

    def submit(self, work: Callable[..., object], /, *args: Any, **_: Any) -> Ending:  # type: ignore[override] # all that the transport asks of a future
        """Let a call wait for its message and its turn, or refuse it."""
        lane, ending = self._lane(args), Ending()
        full = self.is_full(lane)
        if full and self._shed(lane, args):
            ending.end()
        elif full:
            self._pool.put(lane, partial(self._run, ending, work, args), urgent=True)
        else:
            self._begin(lane, ending, work, args)
        return ending

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the base's signature
        """End the threads once everything that waits has run."""
        self._pool.close()
        for rounds in self._rounds.values():
            rounds.close()

    def _begin(
        self, lane: str, ending: Ending, work: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        with self._lock:
            self._waiting[lane] = self._waiting.get(lane, 0) + 1
        if not transport.read(args, partial(self._arrived, lane, ending, work, args)):
            self._put(lane, ending, work, duplex.instead(args))

    def _arrived(
        self,
        lane: str,
        ending: Ending,
        work: Callable[..., object],
        args: tuple[Any, ...],
        message: Any,
    ) -> None:
        if message is None:
            self._begun(lane)
            ending.end()
            return
        try:
            rounds = self._rounds_of(args, message)
        except Exception:  # noqa: BLE001 - whatever it is, the method itself will tell
            _log.exception("a call's company could not be told")
            rounds = None
        if rounds is None:
            self._put(lane, ending, work, transport.having(args, message))
        else:
            rounds.put(lane, Arrived(args, message, self._counted(lane, ending)))

    def _put(
        self, lane: str, ending: Ending, work: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        def run() -> None:
            self._begun(lane)
            self._run(ending, work, args)

        self._pool.put(lane, run)

    def _run(self, ending: Ending, work: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            work(*args)
        finally:
            ending.end()

    def _begun(self, lane: str) -> None:
        """Note that a call waits no more."""
        with self._lock:
            self._waiting[lane] -= 1
            if not self._waiting[lane]:
                del self._waiting[lane]

    def _rounds_of(self, args: tuple[Any, ...], message: Any) -> Rounds | None:
        """Return where a call waits for others; None where it has a thread of its own."""
        joint = self._joint
        if joint is None or transport.method_of(args) != joint.method:
            return None
        company = joint.company(message)
        if company is None:
            return None
        if company not in self._rounds:  # the transport has one thread for all calls
            self._rounds[company] = Rounds(joint.answer_all)
        return self._rounds[company]

    def _counted(self, lane: str, ending: Ending) -> Callable[[str], None]:
        """Count a call of the joint method; returns what is to be told of its status."""
        counts, began = cast("Joint", self._joint).counts, time.perf_counter()
        counts.begun()

        def ended(code: str) -> None:
            counts.ended(code, time.perf_counter() - began)
            self._begun(lane)
            ending.end()

        return ended

    def _lane(self, args: tuple[Any, ...]) -> str:
        try:
            return self._lane_of(args)
        except Exception:  # noqa: BLE001 - fairness must not cost a call
            _log.exception("a call's lane could not be told")
            return ""
