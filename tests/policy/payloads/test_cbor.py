"""The items of CBOR: written as the oracle writes them, read back in that form alone."""

import cbor2
import pytest

from policy.payloads import cbor
from policy.reasons import Code, PayloadError, Reason

LENGTHS = [0, 1, 23, 24, 255, 256, 65_535, 65_536]
INTEGERS = [*LENGTHS, 2**32 - 1, 2**32, 2**64 - 1]


@pytest.mark.parametrize("number", [*INTEGERS, *(-1 - number for number in INTEGERS)])
def test_integers_are_the_oracles(number: int) -> None:
    """Each has the fewest bytes, on both sides of every length."""
    assert cbor.integer(number) == cbor2.dumps(number)


@pytest.mark.parametrize("length", LENGTHS)
def test_strings_are_the_oracles_and_read_back(length: int) -> None:
    """Of bytes and of text; a length counts bytes, not characters."""
    data = b"\x07" * length
    written = cbor.string(data)
    assert written == cbor2.dumps(data)
    assert cbor.text("é" * length) == cbor2.dumps("é" * length)
    assert cbor.read_string(b"\xf6" + written + b"\xf6", 1, "here") == (data, 1 + len(written))


MALFORMED, NOT_CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
LONG = "has a length in too many bytes"
REFUSED = {
    "nothing": (b"", MALFORMED, "is not a byte string"),
    "a text string": (b"\x60", MALFORMED, "is not a byte string"),
    "an integer": (b"\x01", MALFORMED, "is not a byte string"),
    "an indefinite length": (b"\x5f\x41\x01\xff", MALFORMED, "is not a byte string"),
    "a reserved length": (b"\x5c", MALFORMED, "is not a byte string"),
    "a byte less": (b"\x42\x01", MALFORMED, "is cut short"),
    "no length": (b"\x59\x01", MALFORMED, "is cut short"),
    "a length in a byte": (b"\x58\x17" + bytes(23), NOT_CANONICAL, LONG),
    "a length in two": (b"\x59\x00\xff" + bytes(255), NOT_CANONICAL, LONG),
    "a length in eight": (b"\x5b" + bytes(8), NOT_CANONICAL, LONG),
}


@pytest.mark.parametrize(("data", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_another_item_or_form_is_refused(data: bytes, code: Code, words: str) -> None:
    """What is wrong is said of the place that was asked for."""
    with pytest.raises(PayloadError) as caught:
        cbor.read_string(data, 0, "here")
    assert caught.value.reason == Reason(code, "here", words)
