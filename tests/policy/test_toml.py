"""The parser of policies reads what another parser of the same language reads."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.problems import PolicyError
from policy.toml import parse

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_VALUE = st.recursive(
    st.one_of(st.integers(-(10**30), 10**30), st.booleans(), _TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_PIECES = """a|b.a|=|1|"x"|'x'|'''|{|}|[|]|,| |#|0x1f|1.5|true|1979-05-27|\\u0041"""
_FRAGMENTS = st.sampled_from(
    [*_PIECES.split("|"), "[a]\n", "[[a]]\n", "[a.b]\n", "\n", "\t", "\x00"]
)


def _written(value: Any) -> str:
    """Write a value as TOML; JSON's strings are basic strings but for U+007F."""
    if isinstance(value, dict):
        pairs = (f"{_written(name)} = {_written(child)}" for name, child in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@given(st.dictionaries(_TEXT, _VALUE, max_size=5))
def test_what_is_written_is_read(document: dict[str, Any]) -> None:
    """Every string, number and table comes back, whatever is in it."""
    text = "".join(f"{_written(name)} = {_written(value)}\n" for name, value in document.items())
    assert parse(text) == tomllib.loads(text) == document


@given(st.lists(_FRAGMENTS, max_size=12).map("".join))
def test_what_the_standard_library_reads_means_the_same(text: str) -> None:
    """Whatever is TOML 1.0 for another parser is that same document here."""
    try:
        expected = tomllib.loads(text)
    except ValueError:
        return  # TOML 1.1 may have more
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\na = 1",
        "a = {b = 1, b = 1}",
        "a.b = 1\n[a]",
        "a = {}\n[a.b]",
        "[a]\n[a]",
        "[a.b]\n[a]\nb.c = 1",
        "[[a]]\n[a]",
        "a = []\n[[a]]",
    ],
)
def test_what_is_said_twice_is_refused(text: str) -> None:
    """A second table of the same name would hide what the first one forbids."""
    with pytest.raises(PolicyError, match="is not TOML"):
        parse(text)
