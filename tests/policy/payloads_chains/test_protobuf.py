"""The one encoding of Protocol Buffers, against the library that everybody uses."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.payloads import protobuf
from policy.payloads.protobuf import Schema
from policy.reasons import Code, PayloadError

SCHEMA: Schema = {1: int, 2: bytes, 16: int, 2047: bytes}


def _oracle() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="oracle.proto", syntax="proto3")
    message = file.message_type.add(name="Oracle")
    for number, kind in SCHEMA.items():
        message.field.add(
            name=f"f{number}",
            number=number,
            label=field.LABEL_OPTIONAL,
            type=field.TYPE_INT64 if kind is int else field.TYPE_BYTES,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Oracle"))


ORACLE = _oracle()


@settings(deadline=None)
@given(
    st.integers(0, 2**63 - 1),
    st.binary(max_size=300),
    st.integers(0, 300),
    st.binary(max_size=3),
)
def test_what_the_library_writes_is_read(a: int, b: bytes, c: int, d: bytes) -> None:
    """The library's encoding is ours, and gives the fields back."""
    data = ORACLE(f1=a, f2=b, f16=c, f2047=d).SerializeToString()
    message = protobuf.decode(data, SCHEMA, "here")
    assert (message.number(1), message.data(2)) == (a, b)
    assert (message.number(16), message.data(2047)) == (c, d)
    assert protobuf.encode({1: a, 2: b, 16: c, 2047: d}) == data


@settings(deadline=None)
@given(
    st.binary(max_size=12)
    | st.builds(
        lambda a, b: protobuf.encode({1: a, 2: b}) + b, st.integers(0, 300), st.binary(max_size=2)
    )
)
def test_what_is_read_is_what_the_library_writes(data: bytes) -> None:
    """Any bytes are refused, or are what the library writes of what it reads from them."""
    try:
        protobuf.decode(data, SCHEMA, "here")
    except PayloadError:
        return
    try:
        read = ORACLE.FromString(data)
    except DecodeError:  # pragma: no cover - it would be a bug
        pytest.fail("the library refuses what is accepted here")
    assert read.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("08", Code.PAYLOAD_MALFORMED),  # no value
        ("0880", Code.PAYLOAD_MALFORMED),  # half a number
        ("088100", Code.PAYLOAD_NOT_CANONICAL),  # a long number
        ("0800", Code.PAYLOAD_NOT_CANONICAL),  # zero
        ("1200", Code.PAYLOAD_NOT_CANONICAL),  # empty
        ("888000 01".replace(" ", ""), Code.PAYLOAD_NOT_CANONICAL),  # a long tag
        ("08ffffffffffffffffff01", Code.PAYLOAD_MALFORMED),  # minus one
        ("0880808080808080808001", Code.PAYLOAD_MALFORMED),  # 2^63
        ("08010802", Code.PAYLOAD_NOT_CANONICAL),  # twice
        ("1201610801", Code.PAYLOAD_NOT_CANONICAL),  # out of order
        ("1801", Code.PAYLOAD_UNSUPPORTED),  # an unknown field
        ("0a0161", Code.PAYLOAD_UNSUPPORTED),  # another wire type
        ("0b", Code.PAYLOAD_UNSUPPORTED),  # a group
        ("120261", Code.PAYLOAD_MALFORMED),  # longer than the message
        ("00", Code.PAYLOAD_UNSUPPORTED),  # field zero
    ],
)
def test_other_encodings_are_refused(data: str, code: Code) -> None:
    """Each alias of an encoding has its reason."""
    with pytest.raises(PayloadError) as caught:
        protobuf.decode(bytes.fromhex(data), SCHEMA, "here")
    assert caught.value.reason.code is code
