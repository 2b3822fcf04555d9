"""What has come in over a stream and waits to be signed, bounded in number."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def _nothing() -> None:
    """Read no more: who fills the inbox waits until there is room."""


class Inbox(Generic[T]):
    """Hands whatever has arrived to one consumer, in batches.

    A full inbox stops reading, so that flow control reaches the sender; a closed
    one stops both sides, so that no thread outlives its stream.

    Args:
        capacity: how many items it holds.
        more: reads on, once a full one has room again.
    """

    def __init__(self, capacity: int, more: Callable[[], None] = _nothing) -> None:
        self._capacity = capacity
        self._more = more
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False

    def fill(self, source: Iterable[T]) -> None:
        """Read the source to its end, or until closed; run it in a thread of its own."""
        try:
            for item in source:
                if not self._put(item):
                    return
        finally:
            self.close()

    def _put(self, item: T) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._items) < self._capacity)
            if self._ended:
                return False
            self._items.append(item)
            self._changed.notify_all()
        return True

    def put(self, item: T) -> bool:
        """Take an item in without waiting; False where no more is to be read for now."""
        with self._changed:
            if self._ended:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return len(self._items) < self._capacity

    def close(self) -> None:
        """Take nothing more in; what is inside can still be taken out."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield one item after the other."""
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[T]]:
        """Yield all that has arrived, as soon as there is anything, until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._items)
                batch = list(self._items)
                self._items.clear()
                self._changed.notify_all()
            if not batch:
                return
            if len(batch) >= self._capacity:
                self._more()
            yield batch
