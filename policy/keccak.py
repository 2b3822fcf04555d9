"""Keccak-256 as Ethereum uses it: the submission's padding, not FIPS 202's."""

import sha3


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte hash."""
    digest: bytes = sha3.keccak_256(data).digest()
    return digest
