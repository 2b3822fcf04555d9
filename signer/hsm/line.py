"""The discipline of the waiting line: two classes, both bounded, neither starves.

No thread and no clock in here; its owner holds a lock.
"""

from collections import deque
from enum import IntEnum
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

BULK_TURN: Final = 8
"""Every eighth item is a bulk one if any waits, however many urgent ones do."""


class Priority(IntEnum):
    """Which requests go first."""

    URGENT = 0  # orders
    BULK = 1  # wallet batches


class Line(Generic[Item]):
    """First in, first out in each class.

    Args:
        depth: how many items of each class may wait, so that no flood of one class
            closes the line to the other.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._waiting: tuple[deque[Item], deque[Item]] = (deque(), deque())
        self._turn = 0

    def __len__(self) -> int:
        return len(self._waiting[0]) + len(self._waiting[1])

    def count(self, priority: Priority) -> int:
        """Return how many items of a class wait."""
        return len(self._waiting[priority])

    def ahead(self, priority: Priority) -> int:
        """Return how many items would be served before a new one, about."""
        urgent, bulk = map(len, self._waiting)
        if priority is Priority.BULK:
            return urgent + bulk
        return urgent + min(bulk, urgent // BULK_TURN)

    def add(self, item: Item, priority: Priority) -> bool:
        """Put an item at the end of its class; False when the class is full."""
        waiting = self._waiting[priority]
        if len(waiting) >= self.depth:
            return False
        waiting.append(item)
        return True

    def put_back(self, item: Item) -> None:
        """Put an item that was taken before all others; it is never refused."""
        self._waiting[Priority.URGENT].appendleft(item)

    def put_last(self, item: Item, priority: Priority) -> None:
        """Put an item that was taken at the end of its class; it is never refused."""
        self._waiting[priority].append(item)

    def take(self) -> Item | None:
        """Take the next item, None when nobody waits."""
        self._turn = (self._turn + 1) % BULK_TURN
        urgent, bulk = self._waiting
        first, second = (bulk, urgent) if self._turn == 0 else (urgent, bulk)
        for waiting in (first, second):
            if waiting:
                return waiting.popleft()
        return None

    def oldest(self) -> Item | None:
        """Return the urgent item that would be taken next, or else the bulk one."""
        return next((waiting[0] for waiting in self._waiting if waiting), None)

    def remove(self, item: Item) -> bool:
        """Take an item out of its place; False when it does not wait any more."""
        for waiting in self._waiting:
            if item in waiting:
                waiting.remove(item)
                return True
        return False

    def empty(self) -> list[Item]:
        """Take out everything, in order."""
        items = [item for waiting in self._waiting for item in waiting]
        for waiting in self._waiting:
            waiting.clear()
        return items
