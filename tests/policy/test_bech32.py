"""Addresses of witness programs: the vectors of BIP-173 and BIP-350, and their one spelling."""

import pytest
from btclib import b32
from btclib import bech32 as btclib_bech32
from hypothesis import given
from hypothesis import strategies as st

from policy import bech32, fields
from tests.policy.writing import exactly

VALID = (
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "bc1sw50qgdz25j",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
)
INVALID = {
    "upper case": "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "mixed case": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4",
    "capital prefix": "Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "wrong checksum": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "letter outside the alphabet": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3tb",
    "version 0 with the other checksum": (
        "bc1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0"
    ),
    "version 1 with the older checksum": (
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4"
    ),
    "version 17": "bc130xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq7zws8r",
    "program of one byte": "bc1pw5dgrnzv",
    "program of 41 bytes": (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav"
    ),
    "version 0 of 16 bytes": "bc1qr508d6qejxtdg4y5r3zarvaryv98gj9p",
    "padding that is not zero": "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "nothing": "bc1gmk9yu",
    "prefix only": "bc1",
    "a space behind": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 ",
    "a line end behind": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\n",
    "too long": "bc1q" + "q" * 1000,
}


@pytest.mark.parametrize("text", VALID)
def test_valid_addresses_are_taken(text: str) -> None:
    """What the specifications call valid is taken, and written again as it was."""
    version, program, _ = b32.witness_from_address(text)
    assert bech32.check(text) == text == bech32.encode(version, program)


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_other_spellings_are_refused(text: str) -> None:
    """What is invalid is refused, and so is the second spelling of what is valid."""
    with pytest.raises(ValueError, match=r"Bitcoin address|no witness program"):
        fields.address(text)


@pytest.mark.parametrize(
    ("bits", "taken"),
    [
        ("", False),  # a version without a program
        ("q" * 3, False),  # one byte
        ("q" * 4, True),  # two, and four bits of padding
        ("qqqp", False),  # padding that is not zero
        ("qqqs", True),  # the last bit before it
        ("q" * 5, True),  # three, and one bit
        ("qqqqp", False),
        ("q" * 6, False),  # a digit more than three bytes take
        ("q" * 64, True),  # forty bytes
        ("q" * 66, False),  # forty-one
    ],
)
def test_a_program_is_whole_bytes(bits: str, taken: bool) -> None:  # noqa: FBT001 — a table
    """Two to forty, in as few digits as hold them, with zeros behind (BIP-173)."""
    text = _address("z" + bits)
    if taken:
        assert bech32.check(text) == text
    else:
        with pytest.raises(ValueError, match=r"no witness program|Bitcoin address"):
            bech32.check(text)


def _address(digits: str) -> str:
    """Append the checksum of BIP-350 to digits, whatever they hold."""
    values = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(digit) for digit in digits]
    return btclib_bech32.encode("bc", values, btclib_bech32.BECH32_M_CONST).decode("ascii")


@given(version=st.integers(0, 16), program=st.binary(min_size=2, max_size=40))
def test_addresses_are_the_oracles(version: int, program: bytes) -> None:
    """Btclib writes the same, and every address is read back."""
    text = bech32.encode(version, program)
    if version == 0 and len(program) not in {20, 32}:
        with pytest.raises(ValueError, match="no witness program"):
            bech32.check(text)
        return
    assert bech32.check(text) == text == b32.address_from_witness(version, program)


@given(at=st.integers(4, 41), other=st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_a_changed_character_is_found(at: int, other: str) -> None:
    """No address is one character from another."""
    text = VALID[0]
    changed = text[:at] + other + text[at + 1 :]
    if changed != text:
        with pytest.raises(ValueError, match="checksum"):
            bech32.check(changed)


def test_an_address_is_refused_in_short() -> None:
    """However long the text, a hundred characters of it are shown."""
    words = f"'{'x' * 100}' is not a Bitcoin address: lower case, with its checksum"
    with pytest.raises(ValueError, match=exactly(words)):
        bech32.check("x" * 200)
