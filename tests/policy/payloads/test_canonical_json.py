"""Strict JSON: the one encoding of RFC 8785, held against an implementation nobody here wrote."""

import json
import sys
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from policy.payloads import canonical_json
from policy.reasons import Code, PayloadError


def _members(text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(
        text,
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
            max_leaves=12,
        ),
        max_size=6,
    )


# Documents in ASCII are read by another way than those of all scripts.
_MEMBERS = _members(st.text(st.characters(max_codepoint=0x7F))) | _members(
    st.text(st.characters(exclude_categories=["Cs"]))
)


def _refusal(payload: bytes) -> Code:
    with pytest.raises(PayloadError) as caught:
        canonical_json.decode(payload)
    return caught.value.reason.code


@given(_MEMBERS)
def test_what_the_oracle_writes_is_read(members: dict[str, Any]) -> None:
    """Canonical documents are read as what they say."""
    assert canonical_json.decode(rfc8785.dumps(members)) == members


@given(_MEMBERS, st.booleans(), st.sampled_from([None, 1]))
def test_any_other_spelling_is_refused(
    members: dict[str, Any],
    ascii_only: bool,  # noqa: FBT001 - hypothesis passes by position
    indent: int | None,
) -> None:
    """A spelling that differs from the oracle's in a single byte is refused."""
    written = json.dumps(members, ensure_ascii=ascii_only, indent=indent).encode()
    if written == rfc8785.dumps(members):
        assert canonical_json.decode(written) == members
    else:
        assert _refusal(written) is Code.PAYLOAD_NOT_CANONICAL


def test_members_sort_by_utf_16() -> None:
    """RFC 8785, section 3.2.3: a surrogate pair sorts below U+E000, unlike its code point."""
    right, wrong = '{"\U0001f600":1,"\ue000":2}', '{"\ue000":2,"\U0001f600":1}'
    assert canonical_json.decode(right.encode()) == {"\U0001f600": 1, "\ue000": 2}
    assert _refusal(wrong.encode()) is Code.PAYLOAD_NOT_CANONICAL


@pytest.mark.parametrize("name", ["a", "é"])
@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 10**15, 0])
def test_every_number_that_all_parsers_read_alike_is_read(name: str, number: int) -> None:
    """RFC 7493, section 2.2: integers of 53 bits are exact, in documents of any script."""
    document = {name: number}
    assert canonical_json.decode(rfc8785.dumps(document)) == document


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"a": True, "b": False, "c": None, "d": "", "e": 2**53 - 1, "f": -(2**53) + 1},
        {"a": [[[[[1]]]]], "b": [[[["x"], None]], True]},
        {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}},
        {"a": [{"b": [{"c": [1, "x", None, False]}]}]},
    ],
)
def test_documents_in_ascii_are_read_the_short_way(document: dict[str, Any]) -> None:
    """What clients send is read in C: every kind of value, nesting five deep in an object."""
    assert canonical_json._usual(rfc8785.dumps(document)) == document


REFUSED = {
    "nothing": (b"", Code.PAYLOAD_MALFORMED),
    "only spaces": (b"   ", Code.PAYLOAD_MALFORMED),
    "not an object: a list": (b"[]", Code.PAYLOAD_MALFORMED),
    "not an object: a string": (b'"{}"', Code.PAYLOAD_MALFORMED),
    "not an object: a number": (b"1", Code.PAYLOAD_MALFORMED),
    "not an object: null": (b"null", Code.PAYLOAD_MALFORMED),
    "cut off": (b'{"a":1', Code.PAYLOAD_MALFORMED),
    "single quotes": (b"{'a':1}", Code.PAYLOAD_MALFORMED),
    "no quotes": (b"{a:1}", Code.PAYLOAD_MALFORMED),
    "a comma too many": (b'{"a":1,}', Code.PAYLOAD_MALFORMED),
    "a comment": (b'{"a":1/**/}', Code.PAYLOAD_MALFORMED),
    "text after the end": (b'{"a":1}x', Code.PAYLOAD_MALFORMED),
    "another document after the end": (b'{"a":1}{"a":2}', Code.PAYLOAD_MALFORMED),
    "a NUL after the end": (b'{"a":1}\0', Code.PAYLOAD_MALFORMED),
    "a line end after the end": (b'{"a":1}\n', Code.PAYLOAD_NOT_CANONICAL),
    "a space before": (b' {"a":1}', Code.PAYLOAD_NOT_CANONICAL),
    "a space within": (b'{"a": 1}', Code.PAYLOAD_NOT_CANONICAL),
    "a byte order mark": (b'\xef\xbb\xbf{"a":1}', Code.PAYLOAD_MALFORMED),
    "UTF-16": ('{"a":1}'.encode("utf-16"), Code.PAYLOAD_MALFORMED),
    "UTF-32 without a mark": ('{"a":1}'.encode("utf-32-le"), Code.PAYLOAD_MALFORMED),
    "not UTF-8": (b'{"a":"\xff"}', Code.PAYLOAD_MALFORMED),
    "an overlong slash": (b'{"a":"\xc0\xaf"}', Code.PAYLOAD_MALFORMED),
    "a surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', Code.PAYLOAD_MALFORMED),
    "an escaped lone surrogate": (rb'{"a":"\ud800"}', Code.PAYLOAD_MALFORMED),
    "an escaped lone surrogate as a name": (rb'{"\udc00":1}', Code.PAYLOAD_MALFORMED),
    "an escaped surrogate pair": (rb'{"a":"\ud83d\ude00"}', Code.PAYLOAD_NOT_CANONICAL),
    "a raw control character": (b'{"a":"\x01"}', Code.PAYLOAD_MALFORMED),
    "a raw line end in a string": (b'{"a":"\n"}', Code.PAYLOAD_MALFORMED),
    "an unknown escape": (rb'{"a":"\x41"}', Code.PAYLOAD_MALFORMED),
    "an escaped letter": (rb'{"a":"\u0041"}', Code.PAYLOAD_NOT_CANONICAL),
    "an escaped slash": (rb'{"a":"\/"}', Code.PAYLOAD_NOT_CANONICAL),
    "an upper-case escape": (rb'{"a":"\u001F"}', Code.PAYLOAD_NOT_CANONICAL),
    "a long escape for a line end": (rb'{"a":"\u000a"}', Code.PAYLOAD_NOT_CANONICAL),
    "an escaped name": (rb'{"\u0061":1}', Code.PAYLOAD_NOT_CANONICAL),
    "unsorted": (b'{"b":1,"a":2}', Code.PAYLOAD_NOT_CANONICAL),
    "unsorted further in": (b'{"a":{"c":1,"b":2}}', Code.PAYLOAD_NOT_CANONICAL),
    "doubled": (b'{"a":1,"a":2}', Code.PAYLOAD_MALFORMED),
    "doubled with one value": (b'{"a":1,"a":1}', Code.PAYLOAD_MALFORMED),
    "doubled, once escaped": (rb'{"a":1,"\u0061":2}', Code.PAYLOAD_MALFORMED),
    "doubled further in": (b'{"a":{"b":1,"b":2}}', Code.PAYLOAD_MALFORMED),
    "doubled in a list": (b'{"a":[{"b":1,"b":2}]}', Code.PAYLOAD_MALFORMED),
    "NaN": (b'{"a":NaN}', Code.PAYLOAD_MALFORMED),
    "Infinity": (b'{"a":Infinity}', Code.PAYLOAD_MALFORMED),
    "-Infinity": (b'{"a":-Infinity}', Code.PAYLOAD_MALFORMED),
    "a fraction": (b'{"a":1.5}', Code.PAYLOAD_MALFORMED),
    "a whole fraction": (b'{"a":1.0}', Code.PAYLOAD_MALFORMED),
    "an exponent": (b'{"a":1e3}', Code.PAYLOAD_MALFORMED),
    "an exponent beyond every float": (b'{"a":1E999}', Code.PAYLOAD_MALFORMED),
    "minus zero": (b'{"a":-0}', Code.PAYLOAD_NOT_CANONICAL),
    "a leading zero": (b'{"a":01}', Code.PAYLOAD_MALFORMED),
    "a plus sign": (b'{"a":+1}', Code.PAYLOAD_MALFORMED),
    "a hexadecimal number": (b'{"a":0x10}', Code.PAYLOAD_MALFORMED),
    "an underscore": (b'{"a":1_000}', Code.PAYLOAD_MALFORMED),
    "digits of another script": ('{"a":١٢٣}'.encode(), Code.PAYLOAD_MALFORMED),
    "a first digit and others of another script": ('{"a":1٢٣}'.encode(), Code.PAYLOAD_MALFORMED),
    "an integer of 54 bits": (b'{"a":9007199254740992}', Code.PAYLOAD_MALFORMED),
    "a negative integer of 54 bits": (b'{"a":-9007199254740992}', Code.PAYLOAD_MALFORMED),
    "an integer of 5,000 digits": (b'{"a":%s}' % (b"9" * 5000), Code.PAYLOAD_MALFORMED),
    "an integer of 18 digits": (b'{"a":123456789012345678}', Code.PAYLOAD_MALFORMED),
    "an integer of 200,000 digits": (b'{"a":%s}' % (b"9" * 200_000), Code.PAYLOAD_MALFORMED),
    "lists nested without end": (b'{"a":' + b"[" * 200_000, Code.PAYLOAD_MALFORMED),
    "objects nested without end": (b'{"a":' * 40_000, Code.PAYLOAD_MALFORMED),
    "lists nested deep and closed": (
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        Code.PAYLOAD_MALFORMED,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_the_one_encoding_is_refused(name: str) -> None:
    """Each family of look-alikes is refused with its code."""
    payload, code = REFUSED[name]
    assert _refusal(payload) is code


def test_a_refused_number_is_shown_by_its_start() -> None:
    """A number with a fraction may be as long as the payload: forty characters show it."""
    with pytest.raises(PayloadError) as caught:
        canonical_json.decode(b'{"a":1.' + b"23456789" * 1000 + b"}")
    start = "1." + "23456789" * 4 + "234567"
    assert caught.value.reason.detail == f"is not strict JSON: {start} is not an integer"


@pytest.mark.parametrize("opening", [b"[", b'{"":'])
def test_nesting_is_refused_before_it_is_parsed(opening: bytes) -> None:
    """Deep documents cannot fill the stack, even where a library lifts Python's own limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        assert _refusal(b'{"a":' + opening * 40_000) is Code.PAYLOAD_MALFORMED
    finally:
        sys.setrecursionlimit(limit)


def test_the_deepest_document_is_read() -> None:
    """As many brackets as are allowed nest without harm; one more is refused."""
    inner = canonical_json.MAX_BRACKETS - 1
    assert canonical_json.decode(b'{"a":' + b"[" * inner + b"]" * inner + b"}")
    deeper = b'{"a":' + b"[" * (inner + 1) + b"]" * (inner + 1) + b"}"
    assert _refusal(deeper) is Code.PAYLOAD_MALFORMED


@pytest.mark.parametrize("digits", [17, 4301, 200_000])
def test_a_long_integer_is_refused_by_its_length(digits: int) -> None:
    """Long numbers are refused before they are computed, whatever limit Python has."""
    with pytest.raises(PayloadError, match="beyond 9007199254740991"):
        canonical_json.decode(b'{"a":' + b"9" * digits + b"}")
