"""Typed structured data (EIP-712): struct types that are pinned, read and hashed in one pass.

A document is what ``eth_signTypedData_v4`` takes. Of the ways in which wallets write a
value one is taken: numbers as decimal strings, addresses and bytes in small hexadecimal
letters, and a chain id as a number.

Invariant: a value that is read has this one text, so that two documents never say the same.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from policy.keccak import keccak256
from policy.payloads.ethereum import address
from policy.reasons import Code, PayloadError

WORD = 32
MAX_ITEMS = 64  # of a list: each is a transfer for the engine to weigh
_UINT = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_BYTES32 = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
_BYTES = re.compile(r"0x([0-9a-f]{2})*", re.ASCII)
_PADDING = bytes(WORD - address.LENGTH)

Read = tuple[Any, bytes]
"""A value and its 32 bytes within ``encodeData`` (EIP-712, "Definition of encodeData")."""
Codec = Callable[[object, str], Read]


def _uint(bits: int) -> Codec:
    maximum = 2**bits - 1

    def read(value: object, where: str) -> Read:
        if not _UINT.fullmatch(_text(value, where)):
            raise not_canonical(where, "is not digits in their shortest form, as a string")
        number = int(value)  # type: ignore[call-overload]  # it is a string of digits
        if number > maximum:
            raise malformed(where, f"is above 2^{bits} - 1")
        return number, number.to_bytes(WORD)

    return read


def _address(value: object, where: str) -> Read:
    if not _ADDRESS.fullmatch(text := _text(value, where)):
        raise not_canonical(where, "is not 0x and 40 of 0-9 a-f")
    raw = bytes.fromhex(text[2:])
    return address.text(raw), _PADDING + raw


def _bytes32(value: object, where: str) -> Read:
    if not _BYTES32.fullmatch(text := _text(value, where)):
        raise not_canonical(where, "is not 0x and 64 of 0-9 a-f")
    raw = bytes.fromhex(text[2:])
    return raw, raw


def _bytes(value: object, where: str) -> Read:
    if not _BYTES.fullmatch(text := _text(value, where)):
        raise not_canonical(where, "is not 0x and pairs of 0-9 a-f")
    raw = bytes.fromhex(text[2:])
    return raw, keccak256(raw)


def _string(value: object, where: str) -> Read:
    text = _text(value, where)
    return text, keccak256(text.encode())


def _bool(value: object, where: str) -> Read:
    if not isinstance(value, bool):
        raise malformed(where, "is not true or false")
    return value, int(value).to_bytes(WORD)


def _chain_id(value: object, where: str) -> Read:
    if type(value) is not int or value <= 0:
        raise malformed(where, "is not a number above zero")
    return value, value.to_bytes(WORD)


_CODECS: dict[str, Codec] = {
    **{f"uint{bits}": _uint(bits) for bits in range(8, 257, 8)},
    "address": _address,
    "bytes32": _bytes32,
    "bytes": _bytes,
    "string": _string,
    "bool": _bool,
}


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct type: ``members`` as in ``encodeType``, and the structs that they name.

    ``special`` are codecs of members that are written in another way than their type is.
    """

    name: str
    members: str
    structs: tuple["Struct", ...] = ()
    special: Mapping[str, Codec] = field(default_factory=dict)
    codecs: Mapping[str, Codec] = field(init=False)
    type_hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        known: dict[str, Codec] = {struct.name: struct.read for struct in self.structs}
        known |= {f"{name}[]": _list(read) for name, read in known.items()} | _CODECS
        codecs = {name: known[kind] for kind, name in _pairs(self.members)}
        codecs |= self.special
        object.__setattr__(self, "codecs", codecs)
        object.__setattr__(self, "type_hash", keccak256(self.encode_type().encode("ascii")))

    def encode_type(self) -> str:
        """Return the text of the type and of those it names, in order of their names."""
        parts = sorted(f"{item.name}({item.members})" for item in self.structs)
        return "".join((f"{self.name}({self.members})", *parts))

    def types(self) -> dict[str, list[dict[str, str]]]:
        """Return what a document says under ``types``."""
        return {
            item.name: [{"name": name, "type": kind} for kind, name in _pairs(item.members)]
            for item in (self, *self.structs)
        }

    def read(self, value: object, where: str) -> tuple[dict[str, Any], bytes]:
        """Return the members of an object, and its ``hashStruct``.

        Raises:
            PayloadError: a member too many or too few, or in another form.
        """
        if not isinstance(value, dict):
            raise malformed(where, "is not an object")
        if value.keys() != self.codecs.keys():
            wrong = min(value.keys() ^ self.codecs.keys())
            problem = "is missing" if wrong in self.codecs else f"is no member of {self.name}"
            raise malformed(where, f"{wrong[:64]!a} {problem}")
        members, words = {}, [self.type_hash]
        for name, codec in self.codecs.items():
            members[name], word = codec(value[name], f"{where}.{name}")
            words.append(word)
        return members, keccak256(b"".join(words))


def domain_type(members: str) -> Struct:
    """Return a type of domain: which of the five members it has, in their order."""
    return Struct("EIP712Domain", members, special={"chainId": _chain_id})


def message(separator: bytes, struct_hash: bytes) -> bytes:
    """Return what is hashed and signed, 66 bytes (EIP-712, "Specification")."""
    return b"\x19\x01" + separator + struct_hash


def _list(codec: Codec) -> Codec:
    def read(value: object, where: str) -> Read:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
            raise malformed(where, f"is not a list of 1 to {MAX_ITEMS}")
        items = [codec(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return [item for item, _ in items], keccak256(b"".join(word for _, word in items))

    return read


def _pairs(members: str) -> list[tuple[str, str]]:
    """Return type and name of each member."""
    pairs = (member.split(" ") for member in members.split(","))
    return [(kind, name) for kind, name in pairs]


def _text(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    raise malformed(where, "is not a string")


def malformed(where: str, detail: str) -> PayloadError:
    """Return the refusal of what has another shape."""
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


def not_canonical(where: str, detail: str) -> PayloadError:
    """Return the refusal of another text of what may be the same."""
    return PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
