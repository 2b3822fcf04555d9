"""Work that several threads want done goes together, without a thread of its own.

Whoever comes while few enough lead becomes a leader and does the work of all who
wait. Whoever comes meanwhile waits, and the first of them leads next, for all who
wait by then. With one leader a turn waits for two rounds at most, however many
there are. Each round costs its wake-ups once, so that large ones cost less: beside a
round that is large already none begins before it is worth one.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Turn(Generic[T]):
    """What one thread wants done, and what came of it once ``done``.

    ``size`` is what it counts for in a round.
    """

    __slots__ = ("_awake", "_result", "done", "error", "leads", "size")

    def __init__(self, size: int = 1) -> None:
        self.size = size
        self.done = False
        self.leads = False
        self.error: Exception | None = None
        self._result: T | None = None
        self._awake = threading.Lock()
        self._awake.acquire()

    def keep(self, result: T) -> None:
        """Take the result; it counts only after ``finish``."""
        self._result = result

    def finish(self, error: Exception | None = None) -> None:
        """Settle the result, or the error; the first call counts."""
        if not self.done:
            self.error = error
            self.done = True

    def wait(self) -> None:
        """Sleep until somebody calls ``wake``."""
        self._awake.acquire()

    def wake(self) -> None:
        """End the sleep of whoever waits: the turn is done, or is to lead."""
        self._awake.release()

    def result(self) -> T:
        """Return what came of it, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        return self._result  # type: ignore[return-value] # it was kept before done


Kind = TypeVar("Kind", bound="Turn[Any]")


class Gathering(Generic[Kind]):
    """Collects turns and has them done together.

    Args:
        work: does turns, at least one, and finishes each.
        bound: the most that a round of several turns may count for.
        lost: the error of a turn that ``work`` did not finish.
        leaders: how many rounds may be under way at once.
        large: beside a round that counts for so much the next one begins only when as
            much waits; small rounds run side by side.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Kind]], None],
        bound: int,
        lost: Callable[[], Exception],
        leaders: int = 1,
        large: int = 1,
    ) -> None:
        self._work = work
        self._bound = bound
        self._lost = lost
        self._free = leaders
        self._large = large
        self._large_rounds = 0  # under way
        self._lock = threading.Lock()
        self._pending: deque[Kind] = deque()
        self._waiting = 0  # what the pending ones count for

    def submit(self, turn: Kind) -> None:
        """Return once the turn is done."""
        with self._lock:
            self._waiting += turn.size
            turn.leads = self._may_begin()
            if turn.leads:
                self._begin(turn)
            else:
                self._pending.append(turn)
        if not turn.leads:
            try:
                turn.wait()
            except BaseException:  # a signal's handler raised
                self._abandon(turn)
                raise
        if not turn.done:
            self._lead(turn)

    def _lead(self, own: Kind) -> None:
        """Do the work of all who wait; the leader's own turn is the first of them."""
        turns, size = self._take(own)
        try:
            self._work(turns)
        finally:  # whatever happened, nobody is let through and nobody waits for ever
            for turn in turns:
                if not turn.done:
                    turn.finish(self._lost())
            with self._lock:
                self._large_rounds -= size >= self._large
                self._hand_over()
            for turn in turns[1:]:
                turn.wake()

    def _take(self, own: Kind) -> tuple[list[Kind], int]:
        with self._lock:
            turns = [own]
            size = own.size
            while self._pending and size + self._pending[0].size <= self._bound:
                turns.append(self._pending.popleft())
                size += turns[-1].size
            self._waiting -= size - own.size
            self._large_rounds += size >= self._large
        return turns, size

    def _may_begin(self) -> bool:
        worth = not self._large_rounds or self._waiting >= self._large
        return self._free > 0 and worth

    def _begin(self, turn: Kind) -> None:
        """Give the lead to a turn that is no longer pending."""
        self._free -= 1
        self._waiting -= turn.size
        turn.leads = True

    def _hand_over(self) -> None:
        """Give up the lead, to who waits longest if it is time for a round."""
        self._free += 1
        if self._pending and self._may_begin():
            following = self._pending.popleft()
            self._begin(following)
            following.wake()

    def _abandon(self, turn: Kind) -> None:
        """Leave the queue, and pass on the lead if it had just come to the turn."""
        with self._lock:
            if turn in self._pending:
                self._pending.remove(turn)
                self._waiting -= turn.size
            elif turn.leads:
                self._hand_over()
