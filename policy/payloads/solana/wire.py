"""The bytes of a message, version 0 or legacy (Solana documentation, "Transactions").

Invariant: ``encode(decode(payload)) == payload`` for whatever ``decode`` accepts.
"""

import struct
from typing import NamedTuple

from policy.payloads.solana import address
from policy.reasons import Code, PayloadError

MAX_BYTES = 1232 - 65  # what a packet leaves beside one signature
VERSION_0 = 0x80  # a legacy message begins with its number of signatures, which is below
_MORE = 0x80  # the bit of a compact-u16's byte that says that more follows
_ACCOUNT = f"{address.LENGTH}s"


class Instruction(NamedTuple):
    """A call: indexes into the message's accounts, and what the program reads."""

    program: int
    accounts: bytes
    data: bytes


class Message(NamedTuple):
    """All fields. ``header`` counts signers, read-only signers and read-only others."""

    versioned: bool
    header: bytes
    accounts: tuple[bytes, ...]
    blockhash: bytes
    instructions: tuple[Instruction, ...]


class _Reader:
    """A cursor that refuses to go past the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, size: int, where: str) -> bytes:
        """Return the next bytes."""
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise _malformed(where, "the message ends here")
        self._at += size
        return taken

    def byte(self, where: str) -> int:
        """Return the next byte."""
        if self._at >= len(self._data):
            raise _malformed(where, "the message ends here")
        self._at += 1
        return self._data[self._at - 1]

    def count(self, where: str) -> int:
        """Return a compact-u16: seven bits a byte, at most three bytes, the fewest there are."""
        at = self._at
        if at < len(self._data) and (byte := self._data[at]) < _MORE:  # as nearly all are
            self._at = at + 1
            return byte
        number = 0
        for index in range(3):
            byte = self.byte(where)
            number |= (byte & 0x7F) << 7 * index
            if byte < _MORE:
                if index and not byte:
                    raise PayloadError(
                        Code.PAYLOAD_NOT_CANONICAL, where, "a length is not in its shortest form"
                    )
                return number
        raise _malformed(where, "a length has more than three bytes")

    def end(self) -> None:
        """Refuse bytes after the end."""
        if self._at != len(self._data):
            raise _malformed("message", f"{len(self._data) - self._at} bytes after the end")


def decode(payload: bytes) -> Message:
    """Read a message.

    Raises:
        PayloadError: it is not one that fills the payload exactly, is not in its
            shortest form, has another version, or looks addresses up in tables.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; a packet has room for {MAX_BYTES}"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "message", detail)
    versioned = payload[:1] >= bytes((VERSION_0,))
    if versioned and payload[0] != VERSION_0:
        detail = f"version {payload[0] - VERSION_0} is not 0"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "message.version", detail)
    reader = _Reader(payload, at=int(versioned))
    header = reader.take(3, "message.header")
    accounts = _accounts(reader)
    blockhash = reader.take(address.LENGTH, "message.blockhash")
    instructions = tuple(
        _instruction(reader, "message.instructions")
        for _ in range(reader.count("message.instructions"))
    )
    if versioned and reader.count("message.lookups"):
        raise PayloadError(
            Code.PAYLOAD_UNSUPPORTED, "message.lookups", "addresses in tables can't be seen here"
        )
    reader.end()
    return Message(versioned, header, accounts, blockhash, instructions)


def _accounts(reader: _Reader) -> tuple[bytes, ...]:
    size = address.LENGTH * reader.count("message.accounts")
    block = reader.take(size, "message.accounts")
    return struct.unpack(_ACCOUNT * (size // address.LENGTH), block)


def _instruction(reader: _Reader, where: str) -> Instruction:
    program = reader.byte(where)
    accounts = reader.take(reader.count(where), where)
    return Instruction(program, accounts, reader.take(reader.count(where), where))


def encode(message: Message) -> bytes:
    """Write a message: the inverse of ``decode``."""
    instructions = b"".join(
        bytes((item.program,)) + _counted(item.accounts) + _counted(item.data)
        for item in message.instructions
    )
    content = (
        message.header
        + _count(len(message.accounts))
        + b"".join(message.accounts)
        + message.blockhash
        + _count(len(message.instructions))
        + instructions
    )
    return bytes((VERSION_0,)) + content + b"\0" if message.versioned else content


def _counted(data: bytes) -> bytes:
    return _count(len(data)) + data


def _count(number: int) -> bytes:
    if number < _MORE:
        return bytes((number,))
    return bytes((number & 0x7F | _MORE,)) + _count(number >> 7)


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)
