"""The public half of a key version, as plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from policy.algorithms import Algorithm
from signer.errors import SignatureInvalidError
from signer.hsm.names import KeyVersion
from signer.hsm.recovery import Digested, recovery

CryptographyKey = ec.EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

EC_ALGORITHMS: Final = frozenset({Algorithm.ECDSA_P256, Algorithm.ECDSA_SECP256K1})
RSA_ALGORITHMS: Final = frozenset({Algorithm.RSA_PKCS1_SHA256, Algorithm.RSA_PSS_SHA256})
RSA_BITS: Final = range(2048, 4096 + 1, 8)  # NIST SP 800-131A, table 2, and what is still fast


# Loading costs as much as half a verification, and each key is loaded at every look at the token.
@cache
def load_p256(point: bytes) -> ec.EllipticCurvePublicKey:
    """Load an uncompressed point on P-256."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


@cache
def load_secp256k1(point: bytes) -> ec.EllipticCurvePublicKey:
    """Load an uncompressed point on secp256k1."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), point)


@cache
def load_rsa(der: bytes) -> RSAPublicKey:
    """Load a DER SubjectPublicKeyInfo that holds an RSA key."""
    key = load_der_public_key(der)
    if not isinstance(key, RSAPublicKey):
        raise TypeError("not an RSA key")
    return key


_LOADERS: Final[Mapping[Algorithm, Callable[[bytes], CryptographyKey]]] = {
    Algorithm.ECDSA_P256: load_p256,
    Algorithm.ECDSA_SECP256K1: load_secp256k1,
    Algorithm.ED25519: Ed25519PublicKey.from_public_bytes,
    Algorithm.RSA_PKCS1_SHA256: load_rsa,
    Algorithm.RSA_PSS_SHA256: load_rsa,
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key version's public half.

    ``algorithms`` is what the key can serve: one, but for RSA both paddings, of
    which the policy picks one. ``encoded`` is the uncompressed point of 65 bytes
    (SEC 1, section 2.3.3), the 32 bytes of RFC 8032, section 5.1.5, or the DER
    SubjectPublicKeyInfo of an RSA key; it is empty for an HMAC key.
    """

    name: KeyVersion
    algorithms: frozenset[Algorithm]
    encoded: bytes

    @property
    def point(self) -> bytes:
        """The uncompressed point, 65 bytes.

        Raises:
            ValueError: it is not an ECDSA key.
        """
        if not self.algorithms & EC_ALGORITHMS:
            raise ValueError(f"{self.name} is not an ECDSA key")
        return self.encoded

    @property
    def compressed(self) -> bytes:
        """The compressed point, 33 bytes (SEC 1, section 2.3.3).

        Raises:
            ValueError: it is not an ECDSA key.
        """
        point = self.point
        return bytes((2 | point[-1] & 1,)) + point[1:33]

    def load(self) -> CryptographyKey:
        """Return it as an object of ``cryptography``.

        Raises:
            ValueError: an HMAC key, or not a valid point.
        """
        algorithm = min(self.algorithms)
        if algorithm.is_mac:
            raise ValueError(f"{self.name} is an HMAC key: it has no public half")
        return _LOADERS[algorithm](self.encoded)

    def pem(self) -> str:
        """Return the SubjectPublicKeyInfo in PEM (RFC 7468, section 13).

        Raises:
            ValueError: an HMAC key.
        """
        pem = self.load().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode("ascii")

    def recovery_id(self, digest: bytes, signature: bytes) -> int:
        """Tell which of the points that a secp256k1 signature fits is this key, 0 to 3.

        2 and 3 stand for an r above the group order and have a chance of 2**-127.

        Args:
            digest: what was signed, 32 bytes.
            signature: r || s, 64 bytes.

        Raises:
            SignatureInvalidError: none is; the signature is not this key's.
        """
        found = recovery(self.point).id(Digested(digest, signature))
        if found is None:
            raise SignatureInvalidError(f"the signature is not from {self.name}")
        return found
