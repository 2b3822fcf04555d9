"""Addresses: 32 bytes, written in base 58; and the token account that a wallet owns."""

import hashlib
from functools import lru_cache

from policy import base58

LENGTH = 32
_PRIME = 2**255 - 19
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME  # RFC 8032, section 5.1
_SIGN_BIT = 2**255


# Mints, destinations and recent blockhashes come again and again; base 58 takes 3 us each.
text = lru_cache(maxsize=4096)(base58.encode)


def parse(written: str) -> bytes:
    """Return the 32 bytes of an address that ``text`` wrote."""
    return base58.decode(written, LENGTH)


ASSOCIATED = parse("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


@lru_cache(maxsize=4096)
def token_account(owner: bytes, program: bytes, mint: bytes) -> bytes:
    """Return the owner's associated token account (program derived addresses).

    The highest bump seed counts whose hash is not a point of the curve.
    """
    seeds = owner + program + mint
    bumps = (_derived(seeds + bytes((bump,))) for bump in range(255, -1, -1))
    return next(found for found in bumps if not is_on_curve(found))


def _derived(seeds: bytes) -> bytes:
    return hashlib.sha256(seeds + ASSOCIATED + b"ProgramDerivedAddress").digest()


def is_on_curve(data: bytes) -> bool:
    """Whether 32 bytes are a compressed point of edwards25519 (RFC 8032, section 5.1.3)."""
    square = pow(int.from_bytes(data, "little") % _SIGN_BIT, 2, _PRIME)
    ratio = (square - 1) * (_D * square + 1)  # of u and v: a square exactly when u / v is
    return pow(ratio, (_PRIME - 1) // 2, _PRIME) in {0, 1}
