"""Addresses: ERC-55 checksums, and the address of a public key."""

import coincurve
import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from policy import fields
from policy.keccak import keccak256
from policy.payloads import ethereum
from policy.payloads.ethereum import address

# ERC-55's own test vectors: all capitals, all small, and mixed.
VECTORS = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)


def test_keccak_is_ethereums() -> None:
    """The hash of nothing is that of the Yellow Paper, not of FIPS 202's SHA3-256."""
    expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == expected


@pytest.mark.parametrize("vector", VECTORS)
def test_the_checksum_is_that_of_erc_55(vector: str) -> None:
    """Each of the specification's vectors comes out in its own spelling."""
    assert address.text(bytes.fromhex(vector[2:])) == vector


@given(st.binary(min_size=20, max_size=20))
def test_an_address_is_what_policies_call_it(raw: bytes) -> None:
    """Decoders write addresses in the one spelling that policies accept."""
    assert fields.address(address.text(raw)) == address.text(raw)


@given(st.integers(1, 2**255))
def test_a_keys_address_is_the_oracles(secret: int) -> None:
    """The address of a public key is the one that another implementation derives."""
    key = coincurve.PrivateKey(secret.to_bytes(32))
    point = key.public_key.format(compressed=False)
    assert ethereum.address_of(point) == Account.from_key(key.secret).address


@pytest.mark.parametrize(
    ("first", "size"), [(0, 0), (2, 33), (4, 64), (4, 66), (0x11, 64), (2, 65), (6, 65)]
)
def test_only_an_uncompressed_point_has_an_address(first: int, size: int) -> None:
    """A compressed, hybrid or cut point would give nobody's address, so it gives none."""
    with pytest.raises(ValueError, match="65 bytes"):
        ethereum.address_of((bytes([first]) + b"\1" * 65)[:size])
