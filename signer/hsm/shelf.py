"""Multiples of the keys that are busy: with them a signature is verified in half of the time."""

import threading
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

BUSY: Final = 1000  # signatures after which a key is worth the 20 or 30 ms that its multiples take
KEPT: Final = 32  # keys of a curve and process that have them, 0.8 to 1.3 MiB each

M = TypeVar("M")


class Digested(NamedTuple):
    """A digest of 32 bytes, and what should be a signature of it, r || s."""

    digest: bytes
    signature: bytes


class Shelf(Generic[M]):
    """The multiples of the first few keys that were busy. Thread-safe.

    Args:
        make: makes a key's, given its point; None: there is no such way.
        room: for so many.
        busy: what a key must have signed before it is worth the time that they take.
    """

    def __init__(
        self, make: Callable[[bytes], M] | None, room: int = KEPT, busy: int = BUSY
    ) -> None:
        self._make = make
        self._room = room
        self._busy = busy
        self._keys: set[bytes] = set()
        self._taking = threading.Lock()

    def multiples(self, point: bytes, signed: int) -> M | None:
        """Make those of a key that signed so often, once; else None."""
        if self._make is None or signed < self._busy:
            return None
        with self._taking:
            if point in self._keys or len(self._keys) >= self._room:
                return None
            self._keys.add(point)
        return self._make(point)


class Busy(Generic[M]):
    """Counts a key's signatures until it has its multiples."""

    def __init__(self, point: bytes, shelf: Shelf[M]) -> None:
        self._point = point
        self._shelf = shelf
        self._signed = 0
        self._multiples: M | None = None

    def after(self, signatures: int) -> M | None:
        """Count so many more; return the key's multiples, or None while it has none."""
        if self._multiples is None:
            self._signed += signatures
            self._multiples = self._shelf.multiples(self._point, self._signed)
        return self._multiples
