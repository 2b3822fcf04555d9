"""Keys of every algorithm, outside any token, and what signs with them."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from policy.algorithms import Algorithm

SECRET = bytes(range(32))
P256 = ec.generate_private_key(ec.SECP256R1())
K256 = ec.generate_private_key(ec.SECP256K1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)


def _fixed(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(32) + s.to_bytes(32)


# Signatures in the form in which the HSM's pool gives them.
SIGN: dict[Algorithm, Callable[[bytes], bytes]] = {
    Algorithm.ECDSA_P256: lambda data: _fixed(P256.sign(data, ec.ECDSA(hashes.SHA256()))),
    Algorithm.ECDSA_SECP256K1: lambda data: _fixed(K256.sign(data, ec.ECDSA(hashes.SHA256()))),
    Algorithm.ED25519: ED25519.sign,
    Algorithm.RSA_PKCS1_SHA256: lambda data: RSA.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    Algorithm.RSA_PSS_SHA256: lambda data: RSA.sign(data, _PSS, hashes.SHA256()),
    Algorithm.HMAC_SHA256: lambda data: hmac.digest(SECRET, data, hashlib.sha256),
    Algorithm.HMAC_SHA384: lambda data: hmac.digest(SECRET, data, hashlib.sha384),
    Algorithm.HMAC_SHA512: lambda data: hmac.digest(SECRET, data, hashlib.sha512),
}


def jose_key(algorithm: Algorithm) -> Any:
    """Return what joserfc verifies with."""
    if algorithm.is_mac:
        return OctKey.import_key(SECRET)
    keys: dict[Algorithm, tuple[Any, Any]] = {
        Algorithm.ECDSA_P256: (ECKey, P256),
        Algorithm.ECDSA_SECP256K1: (ECKey, K256),
        Algorithm.ED25519: (OKPKey, ED25519),
    }
    kind, key = keys.get(algorithm, (RSAKey, RSA))
    return kind(key.public_key(), key.public_key())
