"""P-256 signatures, verified by digest: with OpenSSL, and faster for a few busy keys.

For these ``multiples_p256`` adds multiples up that are kept, where it is built (SEC 1, section
4.1.4); what it does not find right is for OpenSSL's ECDSA to judge.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from signer.hsm.public_key import load_p256
from signer.hsm.shelf import Busy, Digested, Shelf

_SCALAR_SIZE: Final = 32
_SCHEME: Final = ec.ECDSA(Prehashed(hashes.SHA256()))


class Multiples(Protocol):
    """A quick way to tell what is right of one key's: see ``signer.hsm.multiples_p256``."""

    def right(self, claims: Sequence[Digested]) -> list[bool]:
        """Tell of each whether it is known to be right."""


of_key: Callable[[bytes], Multiples] | None
try:
    from signer.hsm.multiples_p256 import of_key
except ImportError:  # it was installed without a compiler
    of_key = None


class P256:
    """Verifies the signatures of one key, given its uncompressed point."""

    def __init__(self, point: bytes, shelf: Shelf[Multiples]) -> None:
        self._key = load_p256(point)
        self._busy = Busy(point, shelf)

    def right(self, claims: Sequence[Digested]) -> list[bool]:
        """Tell of each whether it is right; several together cost less than each alone."""
        multiples = self._busy.after(len(claims))
        known = [False] * len(claims) if multiples is None else multiples.right(claims)
        return [good or self._fits(*claim) for good, claim in zip(known, claims, strict=True)]

    def _fits(self, digest: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * _SCALAR_SIZE:
            return False
        r, s = signature[:_SCALAR_SIZE], signature[_SCALAR_SIZE:]
        der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))  # RFC 3279, section 2.2.3
        try:
            self._key.verify(der, digest, _SCHEME)
        except InvalidSignature:
            return False
        return True


_SHELF: Final = Shelf(of_key)


@cache
def p256(point: bytes) -> P256:
    """Return the one of a key: all who verify its signatures share it."""
    return P256(point, _SHELF)
