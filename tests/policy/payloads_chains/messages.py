"""Cosmos' and Tron's messages as the Protocol Buffers library reads and writes them.

Field numbers are those of the chains' published definitions; what stands in a field of
bytes there and is a message itself (``body_bytes``, ``Any.value``) is one here, too.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {int: _Field.TYPE_INT64, bytes: _Field.TYPE_BYTES}
_Kind = type[int] | type[bytes] | str  # a string names a message

# cosmos.tx.v1beta1, cosmos.bank.v1beta1, cosmos.base.v1beta1, google.protobuf.Any
_COSMOS: Mapping[str, Mapping[int, _Kind]] = {
    "SignDoc": {1: "Body", 2: "AuthInfo", 3: bytes, 4: int},
    "Body": {1: "AnySend", 2: bytes, 3: int},
    "AnySend": {1: bytes, 2: "Send"},
    "Send": {1: bytes, 2: bytes, 3: "Coin"},
    "Coin": {1: bytes, 2: bytes},
    "AuthInfo": {1: "Signer", 2: "Fee"},
    "Signer": {1: "AnyKey", 2: "Mode", 3: int},
    "AnyKey": {1: bytes, 2: "Key"},
    "Key": {1: bytes},
    "Mode": {1: "Single"},
    "Single": {1: int},
    "Fee": {1: "Coin", 2: int},
}
# protocol.Transaction.raw, protocol.TransferContract, protocol.TriggerSmartContract
_TRON: Mapping[str, Mapping[int, _Kind]] = {
    "Raw": {1: bytes, 4: bytes, 8: int, 11: "Contract", 14: int, 18: int},
    "Contract": {1: int, 2: "Parameter"},
    "Parameter": {1: bytes, 2: "Call"},
    "Call": {1: bytes, 2: bytes, 3: int, 4: bytes},  # a transfer's fields, or a trigger's
}


def _classes(name: str, messages: Mapping[str, Mapping[int, _Kind]]) -> Mapping[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=name, syntax="proto3")
    for title, fields in messages.items():
        message = file.message_type.add(name=title)
        for number, kind in fields.items():
            field = message.field.add(name=f"f{number}", number=number, label=_Field.LABEL_OPTIONAL)
            if isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{name}.{kind}"
            else:
                field.type = _SCALARS[kind]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        title: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{name}.{title}"))
        for title in messages
    }


COSMOS = _classes("cosmos", _COSMOS)
TRON = _classes("tron", _TRON)


def cosmos(payload: bytes) -> bytes:
    """Write again what the library reads in a sign document."""
    return _written(COSMOS["SignDoc"], payload)


def tron(payload: bytes) -> bytes:
    """Write again what the library reads in a raw transaction."""
    return _written(TRON["Raw"], payload)


def _written(message: Any, payload: bytes) -> bytes:
    read = message.FromString(payload)
    read.DiscardUnknownFields()
    return bytes(read.SerializeToString(deterministic=True))
