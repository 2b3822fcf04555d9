"""Bitcoin's serialisation: little-endian integers, and lengths in the fewest bytes."""

import hashlib

from policy.reasons import Code, PayloadError

_SIZES = {0xFD: 2, 0xFE: 4, 0xFF: 8}  # of a length that begins with this byte
_LEAST = {0xFD: 0xFD, 0xFE: 0x10000, 0xFF: 0x1_0000_0000}


class Reader:
    """Reads bytes from left to right; ``where`` names them in errors."""

    __slots__ = ("_data", "_where", "at")

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._where = where
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes, so many.

        Raises:
            PayloadError: there are not as many.
        """
        end = self.at + size
        if end > len(self._data):
            raise PayloadError(Code.PAYLOAD_MALFORMED, self._where, "is cut short")
        data = self._data[self.at : end]
        self.at = end
        return data

    def integer(self, size: int) -> int:
        """Return an unsigned integer of so many bytes; raises as ``take`` does."""
        return int.from_bytes(self.take(size), "little")

    def compact(self) -> int:
        """Return a length or a count.

        Raises:
            PayloadError: it is cut short, or takes more bytes than it needs.
        """
        first = self.take(1)[0]
        if first not in _SIZES:
            return first
        number = self.integer(_SIZES[first])
        if number < _LEAST[first]:
            detail = f"has the length {number} in too many bytes"
            raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, self._where, detail)
        return number

    def string(self) -> bytes:
        """Return bytes that follow their length; raises as ``compact`` does."""
        return self.take(self.compact())

    def skip(self, count: int) -> None:
        """Pass over strings, so many; raises as ``string`` does."""
        data, at = self._data, self.at
        for _ in range(count):
            # Of short strings, which cost nothing to send, there may be very many.
            size = data[at] if at < len(data) else 0xFF
            if size in _SIZES:
                self.at = at
                self.string()
                at = self.at
            else:
                at += 1 + size
        self.at = at
        self.take(0)

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            PayloadError: something is.
        """
        left = len(self._data) - self.at
        if left:
            detail = f"{left} bytes follow behind its end"
            raise PayloadError(Code.PAYLOAD_MALFORMED, self._where, detail)


def compact(number: int) -> bytes:
    """Write a length or a count."""
    for first in (0xFF, 0xFE, 0xFD):
        if number >= _LEAST[first]:
            return bytes((first,)) + number.to_bytes(_SIZES[first], "little")
    return bytes((number,))


def string(data: bytes) -> bytes:
    """Write bytes behind their length."""
    return compact(len(data)) + data


def sha256d(data: bytes) -> bytes:
    """Return the SHA-256 hash of the SHA-256 hash."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    """Return the RIPEMD-160 hash of the SHA-256 hash."""
    return hashlib.new("ripemd160", hashlib.sha256(data).digest()).digest()
