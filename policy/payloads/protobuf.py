"""Protocol Buffers in one encoding: what a signer may decode without doubt.

Fields rise in number, each stands at most once, lengths and numbers take the fewest
bytes, and what is zero or empty is left out (as in Cosmos ADR-027). So a list has at
most one item here, and an unknown field is refused.

Invariant: ``encode(decode(data, …)) == data`` for whatever ``decode`` accepts.
"""

from collections.abc import Mapping

from policy.reasons import Code, PayloadError

Fields = dict[int, int | bytes]  # by field number
Schema = Mapping[int, type[int] | type[bytes]]
MAX_NUMBER = 2**63 - 1

_VARINT, _BYTES = 0, 2  # wire types
_WIRE_TYPES = {int: _VARINT, bytes: _BYTES}
_MORE = 0x80


class Message:
    """The fields of one message; what is left out is zero or empty."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def number(self, field: int) -> int:
        """Return a number."""
        value = self._fields.get(field, 0)
        assert isinstance(value, int)  # noqa: S101 - its schema says so
        return value

    def data(self, field: int) -> bytes:
        """Return a string of bytes, or a message within."""
        value = self._fields.get(field, b"")
        assert isinstance(value, bytes)  # noqa: S101 - its schema says so
        return value


def decode(data: bytes, schema: Schema, where: str) -> Message:
    """Read a message with the fields of the schema: numbers and bytes by field number.

    Raises:
        PayloadError: another field, another type, or not in the one encoding.
    """
    fields: Fields = {}
    at, last = 0, 0
    while at < len(data):
        tag, at = _varint(data, at, where)
        field, wire_type = tag >> 3, tag & 7
        if field not in schema or wire_type != _WIRE_TYPES[schema[field]]:
            detail = f"field {field} with wire type {wire_type} is not taken here"
            raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)
        if field <= last:
            detail = f"field {field} stands there twice, or out of order"
            raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
        value, at = _value(data, at, wire_type, where)
        if not value:
            detail = f"field {field} is zero or empty and is left out then"
            raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
        fields[field], last = value, field
    return Message(fields)


def encode(fields: Mapping[int, int | bytes]) -> bytes:
    """Write a message."""
    return b"".join(_field(number, fields[number]) for number in sorted(fields) if fields[number])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _written(number << 3 | _VARINT) + _written(value)
    return _written(number << 3 | _BYTES) + _written(len(value)) + value


def _written(number: int) -> bytes:
    if number < _MORE:
        return bytes((number,))
    return bytes((number & 0x7F | _MORE,)) + _written(number >> 7)


def _value(data: bytes, at: int, wire_type: int, where: str) -> tuple[int | bytes, int]:
    number, at = _varint(data, at, where)
    if wire_type == _VARINT:
        return number, at
    end = at + number
    if end > len(data):
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, "a field is longer than its message")
    return data[at:end], end


def _varint(data: bytes, at: int, where: str) -> tuple[int, int]:
    if at < len(data) and data[at] < _MORE:  # nearly all have one byte
        return data[at], at + 1
    number = shift = 0
    for index in range(at, len(data)):
        byte = data[index]
        number |= (byte & 0x7F) << shift
        if number > MAX_NUMBER:
            raise PayloadError(Code.PAYLOAD_MALFORMED, where, f"a number is above {MAX_NUMBER}")
        if byte < _MORE:
            if shift and not byte:
                detail = "a number is not in its shortest form"
                raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
            return number, index + 1
        shift += 7
    raise PayloadError(Code.PAYLOAD_MALFORMED, where, "ends within a number")
