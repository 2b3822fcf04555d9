"""RLP: the one canonical encoding, held against the specification's examples and an oracle."""

import pytest
import rlp as oracle
from hypothesis import given
from hypothesis import strategies as st

from policy.payloads.ethereum import rlp
from policy.reasons import Code, PayloadError

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"  # 56 bytes

# The examples of the Ethereum RLP specification, and each side of every boundary.
EXAMPLES: dict[str, tuple[rlp.Item, str]] = {
    "dog": (b"dog", "83646f67"),
    "cat and dog": ([b"cat", b"dog"], "c88363617483646f67"),
    "the empty string": (b"", "80"),
    "the empty list": ([], "c0"),
    "byte 0": (b"\x00", "00"),
    "byte 15": (b"\x0f", "0f"),
    "byte 127": (b"\x7f", "7f"),
    "byte 128": (b"\x80", "8180"),
    "1024": (b"\x04\x00", "820400"),
    "the set of three": ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
    "56 bytes": (LOREM, "b838" + LOREM.hex()),
    "55 bytes": (LOREM[1:], "b7" + LOREM[1:].hex()),
    "a list of 55 bytes": ([LOREM[2:]], "f7b6" + LOREM[2:].hex()),
    "a list of 56 bytes": ([LOREM[1:]], "f838b7" + LOREM[1:].hex()),
    "255 bytes": (b"\xff" * 255, "b8ff" + "ff" * 255),
    "256 bytes": (b"\xff" * 256, "b90100" + "ff" * 256),
    "three words": ([b"\xa0" * 32] * 3, "f863" + "a0" * 99),
    "a word after what begins like one": (
        [b"\xa0" * 31, b"\x01", b"\xa0" * 32],
        "f842" + "9f" + "a0" * 31 + "01" + "a0" * 33,
    ),
    "four lists deep": ([[[[]]]], "c3c2c1c0"),
    "a string below four lists": ([[[[b"a"]]]], "c4c3c2c161"),
}

REFUSED = {
    "nothing": ("", Code.PAYLOAD_MALFORMED),
    "a byte after a string": ("83646f6700", Code.PAYLOAD_MALFORMED),
    "a byte after a list": ("c000", Code.PAYLOAD_MALFORMED),
    "a byte after a byte": ("0000", Code.PAYLOAD_MALFORMED),
    "a second list": ("c0c0", Code.PAYLOAD_MALFORMED),
    "a string cut off": ("83646f", Code.PAYLOAD_MALFORMED),
    "a word cut off": ("f841" + "a0" * 65, Code.PAYLOAD_MALFORMED),
    "a word beyond its list": ("f843" + "a0" * 67, Code.PAYLOAD_MALFORMED),
    "words five lists deep": ("f7f6f5f4f3" + "a1" + "f842" + "a0" * 66, Code.PAYLOAD_MALFORMED),
    "a list cut off": ("c88363617483646f", Code.PAYLOAD_MALFORMED),
    "a long string cut off": ("b838" + "00" * 55, Code.PAYLOAD_MALFORMED),
    "a long list cut off": ("f838" + "00" * 55, Code.PAYLOAD_MALFORMED),
    "no length at all": ("b8", Code.PAYLOAD_MALFORMED),
    "a length cut off": ("bb0000", Code.PAYLOAD_MALFORMED),
    "a list's length cut off": ("ff00", Code.PAYLOAD_MALFORMED),
    "a length of 2^64 - 1": ("bf" + "ff" * 8, Code.PAYLOAD_MALFORMED),
    "a list's length of 2^64 - 1": ("ff" + "ff" * 8, Code.PAYLOAD_MALFORMED),
    "a string beyond its list": ("c3836161", Code.PAYLOAD_MALFORMED),
    "a string beyond its list, not beyond the end": ("c5c283616161", Code.PAYLOAD_MALFORMED),
    "a length beyond its list, not beyond the end": ("c3c1b800", Code.PAYLOAD_MALFORMED),
    "a prefix for byte 0": ("8100", Code.PAYLOAD_NOT_CANONICAL),
    "a prefix for byte 127": ("817f", Code.PAYLOAD_NOT_CANONICAL),
    "a prefix for a byte in a list": ("c28100", Code.PAYLOAD_NOT_CANONICAL),
    "the long form for no bytes": ("b800", Code.PAYLOAD_NOT_CANONICAL),
    "the long form for one byte": ("b801ff", Code.PAYLOAD_NOT_CANONICAL),
    "the long form for 55 bytes": ("b837" + "ff" * 55, Code.PAYLOAD_NOT_CANONICAL),
    "the long form for the empty list": ("f800", Code.PAYLOAD_NOT_CANONICAL),
    "the long form for a list of 55 bytes": ("f837" + "00" * 55, Code.PAYLOAD_NOT_CANONICAL),
    "a length with a leading zero": ("b90038" + "ff" * 56, Code.PAYLOAD_NOT_CANONICAL),
    "a list's length with a leading zero": ("f90038" + "00" * 56, Code.PAYLOAD_NOT_CANONICAL),
    "a length of eight bytes for 56": (
        "bf" + "00" * 7 + "38" + "ff" * 56,
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "five lists deep": ("c4c3c2c1c0", Code.PAYLOAD_MALFORMED),
    "without end": ("f9ffff" * 80_000, Code.PAYLOAD_MALFORMED),
    "55 lists deep": (bytes(range(0xF7, 0xBF, -1)).hex(), Code.PAYLOAD_MALFORMED),
}

SCALARS: dict[str, tuple[rlp.Item, int]] = {
    "zero": (b"", 0),
    "one": (b"\1", 1),
    "256": (b"\1\0", 256),
    "the maximum": (b"\xff\xff", 65_535),
}
NOT_SCALARS: dict[str, tuple[rlp.Item, Code]] = {
    "a zero byte": (b"\0", Code.PAYLOAD_NOT_CANONICAL),
    "a leading zero": (b"\0\1", Code.PAYLOAD_NOT_CANONICAL),
    "32 zeros": (bytes(32), Code.PAYLOAD_NOT_CANONICAL),
    "above the maximum": (b"\1\0\0", Code.PAYLOAD_MALFORMED),
    "a thousand bytes": (b"\1" * 1000, Code.PAYLOAD_MALFORMED),
    "an empty list": ([], Code.PAYLOAD_MALFORMED),
    "a list of a number": ([b"\1"], Code.PAYLOAD_MALFORMED),
}

ITEMS = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=4), max_leaves=20
)


def _refusal(data: bytes) -> Code:
    with pytest.raises(PayloadError) as caught:
        rlp.decode(data, "here")
    assert caught.value.reason.rule == "here"
    return caught.value.reason.code


def _depth(item: rlp.Item) -> int:
    return 1 + max(map(_depth, item), default=0) if isinstance(item, list) else 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_go_both_ways(name: str) -> None:
    """Each example of the specification is written and read as it says there."""
    item, encoded = EXAMPLES[name]
    assert rlp.encode(item).hex() == encoded
    assert rlp.decode(bytes.fromhex(encoded), "here") == item


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_the_one_encoding_is_refused(name: str) -> None:
    """Trailing bytes, longer forms, wrong lengths and deep nesting are refused."""
    encoded, code = REFUSED[name]
    assert _refusal(bytes.fromhex(encoded)) is code


@pytest.mark.parametrize("name", SCALARS)
def test_a_scalar_goes_both_ways(name: str) -> None:
    """A number is big-endian without leading zeros, and zero is empty."""
    item, number = SCALARS[name]
    assert rlp.integer(item, "here", 65_535) == number
    assert rlp.scalar(number) == item


@pytest.mark.parametrize("name", NOT_SCALARS)
def test_what_is_not_a_scalar_is_refused(name: str) -> None:
    """Leading zeros, lists and numbers beyond the field's range are refused."""
    item, code = NOT_SCALARS[name]
    with pytest.raises(PayloadError) as caught:
        rlp.integer(item, "here", 65_535)
    assert caught.value.reason.code is code


WORDS = st.lists(st.binary(min_size=31, max_size=33), max_size=5).map(list[rlp.Item])


@given(ITEMS | WORDS)
def test_any_item_is_written_like_the_oracle(item: rlp.Item) -> None:
    """Whatever is written, another implementation writes and reads alike."""
    encoded = rlp.encode(item)
    assert encoded == oracle.encode(item)
    if _depth(item) <= rlp.MAX_DEPTH:
        assert rlp.decode(encoded, "here") == item
    else:
        assert _refusal(encoded) is Code.PAYLOAD_MALFORMED


@given(
    st.binary(max_size=80)
    | (ITEMS | WORDS).map(rlp.encode).flatmap(lambda data: st.permutations(data).map(bytes))
)
def test_what_is_read_is_the_only_encoding(data: bytes) -> None:
    """For any bytes: refused, or writing what was read gives them back."""
    try:
        item = rlp.decode(data, "here")
    except PayloadError:
        return
    assert rlp.encode(item) == data == oracle.encode(item)
