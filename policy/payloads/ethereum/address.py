"""Addresses: 20 bytes, written with the checksum of ERC-55."""

from functools import lru_cache

from policy import fields
from policy.keccak import keccak256

LENGTH = 20
POINT, UNCOMPRESSED = 65, 4  # SEC 1, section 2.3.3
ZERO = bytes(LENGTH)


@lru_cache(maxsize=65536)
def text(address: bytes) -> str:
    """Return the checksummed form of 20 bytes."""
    return fields.checksummed("0x" + address.hex())


def of_public_key(point: bytes) -> str:
    """Return the address of an uncompressed secp256k1 point, 65 bytes (Yellow Paper, 284).

    Raises:
        ValueError: it is something else, whose hash is nobody's address.
    """
    if len(point) != POINT or point[0] != UNCOMPRESSED:
        raise ValueError(f"an uncompressed point has {POINT} bytes and starts with 4")
    return text(keccak256(point[1:])[-LENGTH:])
