"""Signatures of contracts' methods, and the words of values: one text, one word."""

import pytest

from policy import abi
from tests.policy.payloads.examples import OMNIBUS_TEXT, USDC_TEXT
from tests.policy.writing import exactly

SIXTEEN = ", ".join(f"uint8 a{at}" for at in range(16))


def test_a_method_has_at_most_sixteen_parameters() -> None:
    """So many are read, and one more is refused with both counts."""
    assert len(abi.parse(f"f({SIXTEEN})").parameters) == abi.MAX_PARAMETERS == 16
    with pytest.raises(ValueError, match=exactly("17 parameters; at most 16 are read")):
        abi.parse(f"f({SIXTEEN}, bool last)")


REFUSED = {
    "deposit": 'is not a signature; write it like "deposit(uint256 assets, address to)"',
    "f(uint8 a, bool a)": "two parameters have the same name",
    "f(uint8)": "'uint8' is not a type and a name",
    f"f({'x' * 70})": f"'{'x' * 64}' is not a type and a name",
    "f(uint a)": "uint is not a static type in full, like uint256 or address",
    "f(bytes a)": "bytes is not a static type in full, like uint256 or address",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_signature_that_is_none_says_what_would_be(text: str) -> None:
    """Each refusal names what is wrong, cut short where it is long."""
    with pytest.raises(ValueError, match=exactly(REFUSED[text])):
        abi.parse(text)


def test_a_parameter_that_is_not_there_is_told_of_those_that_are() -> None:
    """The names are listed, or that there is none."""
    method = abi.parse("f(uint8 a, bool b)")
    assert [method.index(name) for name in "ab"] == [0, 1]
    with pytest.raises(ValueError, match=exactly("c is no parameter; there are a, b")):
        method.index("c")
    with pytest.raises(ValueError, match=exactly("c is no parameter; there are none")):
        abi.parse("f()").index("c")


NO_VALUES = {
    "uint8": ("256", "'256' is not a whole number, 0 to 255"),
    "uint256": ("9" * 90, f"'{'9' * 80}' is not a whole number, 0 to {2**256 - 1}"),
    "int16": ("1.0", "'1.0' is not a whole number, -32768 to 32767"),
    "bytes4": ("0x" + "a" * 90, f"'0x{'a' * 78}' is not 0x and 8 of 0-9 a-f"),
    "bool": ("y" * 90, f"'{'y' * 80}' is not true or false"),
}


@pytest.mark.parametrize("kind", NO_VALUES)
def test_a_value_that_is_none_says_what_would_be(kind: str) -> None:
    """Each refusal shows the text, cut short where it is long, and the type's values."""
    text, words = NO_VALUES[kind]
    (parameter,) = abi.parse(f"f({kind} a)").parameters
    with pytest.raises(ValueError, match=exactly(words)):
        parameter.write(text)


def test_false_is_a_value() -> None:
    """A word of zeros."""
    (parameter,) = abi.parse("f(bool a)").parameters
    assert parameter.write("false") == bytes(32)


WORDS = {
    "uint8": ("255", 255, ["256", "-1", "01", "0x1", "", "1.0"]),
    "uint16": ("0", 0, ["65536"]),
    "uint256": (str(2**256 - 1), 2**256 - 1, [str(2**256)]),
    "int16": ("32767", 32767, ["32768", "-32769"]),
    "int8": ("-128", 2**256 - 128, ["128", "-129", "-0", "+1"]),
    "bool": ("true", 1, ["1", "True", "yes", "FALSE"]),
    "address": (OMNIBUS_TEXT, int("11" * 20, 16), [OMNIBUS_TEXT[:-1], "0x", USDC_TEXT.lower()]),
    "bytes4": ("0xa9059cbb", 0xA9059CBB << 224, ["0xa9059c", "a9059cbb", "0xA9059CBB", "0x"]),
    "bytes32": ("0x" + "07" * 32, int("07" * 32, 16), ["0x07"]),
}


@pytest.mark.parametrize("kind", WORDS)
def test_a_value_has_one_text_and_one_word(kind: str) -> None:
    """Fixed values are written in one way, and their words are clean."""
    text, word, others = WORDS[kind]
    (parameter,) = abi.parse(f"f({kind} a)").parameters
    assert parameter.write(text) == word.to_bytes(32)
    assert parameter.is_clean(word.to_bytes(32))
    for other in others:
        with pytest.raises(ValueError, match=r"\S"):
            parameter.write(other)


DIRTY = {
    "uint8": 256,
    "int8": 128,
    "int16": 2**256 - 2**15 - 1,
    "bool": 2,
    "address": 2**160,
    "bytes4": 1,
    "bytes31": 1,
}


@pytest.mark.parametrize("kind", DIRTY)
def test_a_word_of_no_value_is_dirty(kind: str) -> None:
    """What a contract would cut off, or extend in another way, is no value."""
    (parameter,) = abi.parse(f"f({kind} a)").parameters
    assert not parameter.is_clean(DIRTY[kind].to_bytes(32))


def test_published_selectors() -> None:
    """Selectors are those of the contracts."""
    selectors = {
        "transfer(address to, uint256 amount)": "a9059cbb",
        "deposit(uint256 assets,address receiver)": "6e553f65",  # ERC-4626
        "deposit()": "d0e30db0",  # WETH
        "supply(address a,uint256 b,address c,uint16 d)": "617ba037",  # Aave
    }
    for text, selector in selectors.items():
        assert abi.parse(text).selector.hex() == selector
