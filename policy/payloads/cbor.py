"""The few items of CBOR that are needed here, in their one encoding (RFC 8949, section 4.2.1)."""

from policy.reasons import Code, PayloadError

UNSIGNED, NEGATIVE, BYTES, TEXT = range(4)
_SHORT, _SIZES = 24, (1, 2, 4, 8)  # an argument below 24 stands in the first byte


def head(major: int, argument: int) -> bytes:
    """Return an item's head in the fewest bytes."""
    if argument < _SHORT:
        return bytes((major << 5 | argument,))
    at = next(at for at, size in enumerate(_SIZES) if argument < 1 << 8 * size)
    return bytes((major << 5 | _SHORT + at,)) + argument.to_bytes(_SIZES[at])


def integer(number: int) -> bytes:
    """Return an integer."""
    return head(UNSIGNED, number) if number >= 0 else head(NEGATIVE, -1 - number)


def string(data: bytes) -> bytes:
    """Return a byte string."""
    return head(BYTES, len(data)) + data


def text(words: str) -> bytes:
    """Return a text string."""
    data = words.encode()
    return head(TEXT, len(data)) + data


def read_string(data: bytes, at: int, where: str) -> tuple[bytes, int]:
    """Return the byte string that begins at ``at``, and where it ends.

    Raises:
        PayloadError: it is something else, cut short, or not in the fewest bytes.
    """
    first = data[at] if at < len(data) else 0
    major, short = first >> 5, first & 31
    if major != BYTES or short >= _SHORT + len(_SIZES):
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, "is not a byte string")
    size = _SIZES[short - _SHORT] if short >= _SHORT else 0
    start = at + 1 + size
    length = int.from_bytes(data[at + 1 : start]) if size else short
    end = start + length
    if end > len(data):
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, "is cut short")
    if start - at != len(head(BYTES, length)):
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, "has a length in too many bytes")
    return data[start:end], end
