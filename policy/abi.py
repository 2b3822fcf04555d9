"""Methods of contracts with static arguments (Solidity, contract ABI specification).

Each argument has one word of 32 bytes, and of each value one word is taken: what a
contract would cut off or extend must be zero, or the sign.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policy import fields
from policy.keccak import keccak256

WORD, SELECTOR, ADDRESS = 32, 4, 20
MAX_PARAMETERS = 16
_NAME = r"[A-Za-z_$][A-Za-z0-9_$]*"
_SIGNATURE = re.compile(rf"(?P<name>{_NAME})\((?P<parameters>.*)\)", re.ASCII)
_PARAMETER = re.compile(rf"(?P<kind>[a-z]+[0-9]*) (?P<name>{_NAME})", re.ASCII)
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,77}", re.ASCII)
_HEX = re.compile(r"0x([0-9a-f]{2})+", re.ASCII)

Write = Callable[[str], bytes]
"""A value's text into its word; ``ValueError`` if it is no such value."""
IsClean = Callable[[bytes], bool]
"""Whether a word is the one of a value."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its name, and its type as in the selector's signature."""

    name: str
    kind: str

    def write(self, text: str) -> bytes:
        """Return a value's word.

        Raises:
            ValueError: it is no value of this type.
        """
        return _TYPES[self.kind][0](text)

    def is_clean(self, word: bytes) -> bool:
        """Whether the word is the one of a value."""
        return _TYPES[self.kind][1](word)


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its name and its parameters."""

    name: str
    parameters: tuple[Parameter, ...]

    @property
    def selector(self) -> bytes:
        """The four bytes that calls of it begin with."""
        kinds = ",".join(parameter.kind for parameter in self.parameters)
        return keccak256(f"{self.name}({kinds})".encode("ascii"))[:SELECTOR]

    def index(self, name: str) -> int:
        """Return where a parameter stands.

        Raises:
            ValueError: there is none of that name.
        """
        names = [parameter.name for parameter in self.parameters]
        if name not in names:
            raise ValueError(f"{name} is no parameter; there are {', '.join(names) or 'none'}")
        return names.index(name)


def parse(text: str) -> Method:
    """Read a signature such as ``deposit(uint256 assets, address receiver)``.

    Raises:
        ValueError: it is not one, or a type is not static, or two parameters share a name.
    """
    match = _SIGNATURE.fullmatch(text)
    if not match:
        raise ValueError('is not a signature; write it like "deposit(uint256 assets, address to)"')
    parts = re.split(", ?", match["parameters"]) if match["parameters"] else []
    parameters = tuple(map(_parameter, parts))
    if len({parameter.name for parameter in parameters}) != len(parameters):
        raise ValueError("two parameters have the same name")
    if len(parameters) > MAX_PARAMETERS:
        raise ValueError(f"{len(parameters)} parameters; at most {MAX_PARAMETERS} are read")
    return Method(match["name"], parameters)


def _parameter(text: str) -> Parameter:
    match = _PARAMETER.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:64]!a} is not a type and a name")
    if match["kind"] not in _TYPES:
        raise ValueError(f"{match['kind']} is not a static type in full, like uint256 or address")
    return Parameter(match["name"], match["kind"])


def _unsigned(bits: int) -> tuple[Write, IsClean]:
    return (
        lambda text: _number(text, 0, 2**bits - 1).to_bytes(WORD),
        lambda word: int.from_bytes(word) < 2**bits,
    )


def _signed(bits: int) -> tuple[Write, IsClean]:
    half = 2 ** (bits - 1)
    return (
        lambda text: _number(text, -half, half - 1).to_bytes(WORD, signed=True),
        lambda word: -half <= int.from_bytes(word, signed=True) < half,
    )


def _number(text: str, least: int, most: int) -> int:
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise ValueError(f"{text[:80]!a} is not a whole number, {least} to {most}")
    return int(text)


def _fixed_bytes(size: int) -> tuple[Write, IsClean]:
    def write(text: str) -> bytes:
        if not _HEX.fullmatch(text) or len(text) != 2 + 2 * size:
            raise ValueError(f"{text[:80]!a} is not 0x and {2 * size} of 0-9 a-f")
        return bytes.fromhex(text[2:]).ljust(WORD, b"\0")

    return write, lambda word: not any(word[size:])


def _write_address(text: str) -> bytes:
    return bytes.fromhex(fields.ethereum(text)[2:]).rjust(WORD, b"\0")


def _write_bool(text: str) -> bytes:
    if text not in {"true", "false"}:
        raise ValueError(f"{text[:80]!a} is not true or false")
    return int(text == "true").to_bytes(WORD)


_TYPES: Mapping[str, tuple[Write, IsClean]] = {
    **{f"uint{bits}": _unsigned(bits) for bits in range(8, 257, 8)},
    **{f"int{bits}": _signed(bits) for bits in range(8, 257, 8)},
    **{f"bytes{size}": _fixed_bytes(size) for size in range(1, 33)},
    "address": (_write_address, lambda word: not any(word[: WORD - ADDRESS])),
    "bool": (_write_bool, lambda word: int.from_bytes(word) <= 1),
}
