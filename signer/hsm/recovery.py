"""The nonce point of a secp256k1 signature: shows that it is right, and its recovery id.

A verifier computes R = (z/s) G + (r/s) Q and compares its x with r (SEC 1, section
4.1.4); which of the points with that x it is, is the recovery id. Recovering a key
(section 4.1.6) is a sum of the same kind, (s'/r') R' - (z'/r') G: with the key in the
place of R' it gives R. That is done once, while ids that are tried one after the
other take one recovery and a half.

For a few busy keys ``multiples`` finds R in half of the time, where it is built: what
it does not find is looked for here.
"""

import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, NamedTuple, Protocol

import coincurve
from coincurve.utils import GROUP_ORDER_INT

ORDER: Final = GROUP_ORDER_INT
RECENT: Final = 1024  # ids that are remembered for who asks
BUSY: Final = 1000  # signatures after which a key is worth 30 ms for its multiples
KEPT: Final = 32  # keys of a process that have them, 832 KiB each
_SIZE: Final = 32  # of a scalar, a coordinate and a digest


class Digested(NamedTuple):
    """A digest of 32 bytes, and what should be a signature of it, r || s."""

    digest: bytes
    signature: bytes


class Multiples(Protocol):
    """A quick way to the ids of one key's signatures: see ``signer.hsm.multiples``."""

    def ids(self, claims: Sequence[Digested]) -> list[int | None]:
        """Return the id of each; None for what is not known to be right."""


of_key: Callable[[bytes], Multiples] | None
try:
    from signer.hsm.multiples import of_key
except ImportError:  # it was installed without a compiler
    of_key = None


class Shelf:
    """The multiples of the first few keys that were busy. Thread-safe.

    Args:
        make: makes a key's, given its point; None: there is no such way.
        room: for so many.
        busy: what a key must have signed before it is worth the time that they take.
    """

    def __init__(
        self,
        make: Callable[[bytes], Multiples] | None = of_key,
        room: int = KEPT,
        busy: int = BUSY,
    ) -> None:
        self._make = make
        self._room = room
        self._busy = busy
        self._keys: set[bytes] = set()
        self._taking = threading.Lock()

    def multiples(self, point: bytes, signed: int) -> Multiples | None:
        """Make those of a key that signed so often, once; else None."""
        if self._make is None or signed < self._busy:
            return None
        with self._taking:
            if point in self._keys or len(self._keys) >= self._room:
                return None
            self._keys.add(point)
        return self._make(point)


class Recovery:
    """Finds the recovery ids of the signatures of one key, given its uncompressed point."""

    def __init__(self, point: bytes, shelf: Shelf) -> None:
        self._point = point
        self._shelf = shelf
        self._signed = 0
        self._multiples: Multiples | None = None
        self._recent: dict[Digested, int] = {}
        x = int.from_bytes(point[1 : 1 + _SIZE])
        self._r = x % ORDER
        self._start = self._r.to_bytes(_SIZE)
        self._end = bytes((_id(x, point[-1]),))

    def ids(self, claims: Sequence[Digested]) -> list[int | None]:
        """Return the id of each, 0 to 3; None for what is no signature of the key's.

        A high s makes no difference here. Several together cost less than each alone.
        """
        found = self._quickly(claims)
        if None in found:
            left = [claim for claim, number in zip(claims, found, strict=True) if number is None]
            rest = iter(self._slowly(left))
            found = [next(rest) if number is None else number for number in found]
        self._remember(claims, found)
        return found

    def _quickly(self, claims: Sequence[Digested]) -> list[int | None]:
        if self._multiples is None:
            self._signed += len(claims)
            self._multiples = self._shelf.multiples(self._point, self._signed)
        return [None] * len(claims) if self._multiples is None else self._multiples.ids(claims)

    def _slowly(self, claims: Sequence[Digested]) -> list[int | None]:
        scalars = [_scalars(claim.signature) for claim in claims]
        inverses = iter(_inverses([s for r, s in scalars if r]))
        return [
            self._id_of(claim.digest, r, next(inverses)) if r else None
            for claim, (r, _) in zip(claims, scalars, strict=True)
        ]

    def id(self, claim: Digested) -> int | None:
        """Return the id of one, as ``ids`` does, which may have found it a moment ago."""
        known = self._recent.pop(claim, None)
        return self.ids([claim])[0] if known is None else known

    def _remember(self, claims: Sequence[Digested], found: Sequence[int | None]) -> None:
        if len(self._recent) > RECENT:  # nobody asked for them
            self._recent.clear()
        for claim, number in zip(claims, found, strict=True):
            if number is not None:
                self._recent[claim] = number

    def _id_of(self, digest: bytes, r: int, inverse: int) -> int | None:
        factor = self._r * inverse
        s = (factor * r % ORDER).to_bytes(_SIZE)
        z = (-factor * int.from_bytes(digest) % ORDER).to_bytes(_SIZE)
        try:
            found = coincurve.PublicKey.from_signature_and_message(
                self._start + s + self._end, z, hasher=None
            )
        except ValueError:  # R is no point but infinity
            return None
        point = found.format(compressed=True)
        x = int.from_bytes(point[1:])
        return _id(x, point[0]) if x % ORDER == r else None


_SHELF: Final = Shelf()


@cache
def recovery(point: bytes) -> Recovery:
    """Return the one of a key: who verifies a signature and who asks for its id share it."""
    return Recovery(point, _SHELF)


def _id(x: int, y: int) -> int:
    return y & 1 | 2 * (x >= ORDER)


def _scalars(signature: bytes) -> tuple[int, int]:
    """Return r and s, or zeros where they are not both from 1 to the order minus one."""
    r, s = int.from_bytes(signature[:_SIZE]), int.from_bytes(signature[_SIZE:])
    good = len(signature) == 2 * _SIZE and 0 < r < ORDER and 0 < s < ORDER
    return (r, s) if good else (0, 0)


def _inverses(numbers: Sequence[int]) -> list[int]:
    """Return 1/n for each, with one inversion for all: it costs as much as 40 products."""
    products = [1]
    for number in numbers:
        products.append(products[-1] * number % ORDER)
    inverse = pow(products.pop(), -1, ORDER)
    found = []
    for number in reversed(numbers):
        found.append(products.pop() * inverse % ORDER)
        inverse = inverse * number % ORDER
    return found[::-1]
