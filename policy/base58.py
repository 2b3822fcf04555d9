"""Base 58, as Bitcoin introduced it: each leading zero byte is a ``1``.

Base58Check puts four bytes of a double SHA-256 behind what it writes.
"""

import hashlib

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CHECKSUM = 4
# Ten digits at a time fit a machine word, two at a time come from a table: a third of the time.
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_PAIRS_AT_ONCE = 5
_AT_ONCE = len(_PAIRS) ** _PAIRS_AT_ONCE


def encode(data: bytes) -> str:
    """Write bytes."""
    number, pairs = int.from_bytes(data), []
    while number:
        number, part = divmod(number, _AT_ONCE)
        for _ in range(_PAIRS_AT_ONCE):
            part, pair = divmod(part, len(_PAIRS))
            pairs.append(_PAIRS[pair])
    digits = "".join(reversed(pairs)).lstrip("1")
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def decode(text: str, size: int) -> bytes:
    """Return the bytes, so many, that ``encode`` wrote.

    Raises:
        ValueError: it wrote no so many bytes as this text.
    """
    number = 0
    for digit in text[: 2 * size]:  # a byte takes less than two digits
        number = number * len(_ALPHABET) + max(0, _ALPHABET.find(digit))
    data = number.to_bytes(2 * size)[size:]
    if encode(data) != text:  # also for any other digit
        raise ValueError(f"{text[:40]!a} is not {size} bytes in base 58")
    return data


def encode_check(data: bytes) -> str:
    """Write bytes and their checksum."""
    return encode(data + _checksum(data))


def decode_check(text: str, size: int) -> bytes:
    """Return the bytes, so many, that ``encode_check`` wrote.

    Raises:
        ValueError: it wrote no so many bytes as this text.
    """
    data = decode(text, size + _CHECKSUM)
    if _checksum(data[:size]) != data[size:]:
        raise ValueError(f"{text[:40]!a} has a wrong checksum")
    return data[:size]


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()[:_CHECKSUM]
