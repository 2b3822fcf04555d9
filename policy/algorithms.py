"""Signature algorithms a key may have, by the names used in policy documents."""

from enum import StrEnum


class Algorithm(StrEnum):
    """What a key signs with; the name fixes curve, padding and hash."""

    ECDSA_P256 = "ecdsa-p256"  # FIPS 186-5, SHA-256, r || s
    ECDSA_SECP256K1 = "ecdsa-secp256k1"  # SEC 2, SHA-256 or Keccak-256, low-S, r || s
    ED25519 = "ed25519"  # RFC 8032, pure
    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"  # RFC 8017, section 8.2
    RSA_PSS_SHA256 = "rsa-pss-sha256"  # RFC 8017, section 8.1, MGF1-SHA256, salt 32
    HMAC_SHA256 = "hmac-sha256"  # RFC 2104
    HMAC_SHA384 = "hmac-sha384"
    HMAC_SHA512 = "hmac-sha512"

    @property
    def is_mac(self) -> bool:
        """Whether the key is a shared secret, so that nobody can verify without it."""
        return self.value.startswith("hmac-")


class Digest(StrEnum):
    """How a message is hashed before it is signed."""

    NATIVE = "native"  # the hash that the algorithm's name fixes
    KECCAK256 = "keccak256"  # Ethereum; secp256k1 keys only
    SHA256D = "sha256d"  # Bitcoin, SHA-256 twice; secp256k1 keys only
