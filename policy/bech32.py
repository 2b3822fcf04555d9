"""Addresses of Bitcoin's witness programs: Bech32 and Bech32m (BIP-173, BIP-350).

Only the lower-case spelling is taken, so that an address has one.
"""

import re
from collections.abc import Iterable
from functools import reduce
from operator import xor

PREFIX = "bc"  # the main network's
_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_TEXT = re.compile(rf"{PREFIX}1([{_ALPHABET}]{{8,71}})", re.ASCII)
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# What the five bits that leave the checksum's state do to it.
_FOLD = tuple(
    reduce(xor, (word for at, word in enumerate(_GENERATORS) if top >> at & 1), 0)
    for top in range(32)
)
_BECH32, _BECH32M = 1, 0x2BC830A3  # versions 0, and 1 to 16
_CHECKSUM = 6  # characters
_LENGTHS = range(2, 41)  # of a program, bytes
_LENGTHS_0 = (20, 32)
_LAST_VERSION = 16


def encode(version: int, program: bytes) -> str:
    """Write a witness program, version 0 to 16, as an address of the main network."""
    padding = -8 * len(program) % 5
    number = int.from_bytes(program) << padding
    bits = 8 * len(program) + padding
    values = [version, *(number >> at & 31 for at in range(bits - 5, -1, -5))]
    state = _state([*values, *[0] * _CHECKSUM], _START) ^ _constant(version)
    checksum = [state >> at & 31 for at in range(25, -1, -5)]
    return f"{PREFIX}1{''.join(_ALPHABET[value] for value in values + checksum)}"


def check(text: str) -> str:
    """Return an address of the main network, if it is one in its one spelling.

    Raises:
        ValueError: it is not.
    """
    match = _TEXT.fullmatch(text)
    values = [_VALUES[character] for character in match[1]] if match else []
    if not values or _state(values, _START) != _constant(values[0]):
        raise ValueError(f"{text[:100]!a} is not a Bitcoin address: lower case, with its checksum")
    digits = values[1:-_CHECKSUM]
    size, padding = divmod(5 * len(digits), 8)
    known = size in (_LENGTHS if values[0] else _LENGTHS_0) and values[0] <= _LAST_VERSION
    if not known or padding >= 5 or digits[-1] & (1 << padding) - 1:  # noqa: PLR2004 - a digit's bits
        raise ValueError(f"{text} holds no witness program")
    return text


def _state(values: Iterable[int], state: int) -> int:
    for value in values:
        state = (state & 0x1FFFFFF) << 5 ^ value ^ _FOLD[state >> 25]
    return state


def _constant(version: int) -> int:
    return _BECH32M if version else _BECH32


_START = _state((*(ord(c) >> 5 for c in PREFIX), 0, *(ord(c) & 31 for c in PREFIX)), 1)
