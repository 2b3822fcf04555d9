"""Verify before release: no signature leaves that does not fit its public key.

The check starts from the message and not from what the token was given, so a
fault in the hashing shows as well.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from policy.algorithms import Algorithm, Digest
from signer.hsm.mechanisms import MAC_SIZES, SCHEMES, is_low_s
from signer.hsm.public_key import PublicKey, load_p256, load_rsa
from signer.hsm.recovery import Digested, recovery

_One = Callable[[bytes, Digest, bytes], bool]
_Check = Callable[[bytes, bytes], None]  # of cryptography: raises InvalidSignature

_SCALAR_SIZE: Final = 32
_ED25519_SIZE: Final = 64
_SHA256: Final = hashes.SHA256()
_HASHES: Final = SCHEMES[Algorithm.ECDSA_SECP256K1].hashes
_PSS: Final = padding.PSS(padding.MGF1(_SHA256), salt_length=_SHA256.digest_size)


class Claim(NamedTuple):
    """A signature, and what it is said to be over."""

    message: bytes
    digest: Digest
    signature: bytes


class Verifier:
    """Tells whether signatures are right, by a function that checks one."""

    def __init__(self, check: _One) -> None:
        self._check = check

    def __call__(self, message: bytes, digest: Digest, signature: bytes) -> bool:
        """Tell whether a signature is right."""
        return self._check(message, digest, signature)

    def each(self, claims: Sequence[Claim]) -> list[bool]:
        """Tell of each whether it is right; some algorithms do several together faster."""
        return [self._check(*claim) for claim in claims]


def verifier(public_key: PublicKey, algorithm: Algorithm) -> Verifier:
    """Return the check for a key's signatures by one of its algorithms.

    Of a MAC, only the length can be checked: whether the token holds the right
    secret is shown by the known answer when a session binds the key.
    """
    if algorithm.is_mac:
        return Verifier(_mac(MAC_SIZES[algorithm]))
    if algorithm is Algorithm.ECDSA_SECP256K1:
        return _Secp256k1(public_key.point)
    if algorithm is Algorithm.ED25519:
        return Verifier(_ed25519(public_key.encoded))
    return Verifier(_native(_CHECKS[algorithm](public_key.encoded)))


def _der(signature: bytes) -> bytes:
    """Encode r || s as an Ecdsa-Sig-Value (RFC 3279, section 2.2.3)."""
    if len(signature) != 2 * _SCALAR_SIZE:
        raise InvalidSignature
    r, s = signature[:_SCALAR_SIZE], signature[_SCALAR_SIZE:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


def _native(check: _Check) -> _One:
    def verify(message: bytes, digest: Digest, signature: bytes) -> bool:
        try:
            check(signature, message)
        except InvalidSignature:
            return False
        return digest is Digest.NATIVE

    return verify


def _mac(size: int) -> _One:
    def verify(_message: bytes, digest: Digest, mac: bytes) -> bool:
        return len(mac) == size and digest is Digest.NATIVE

    return verify


class _Secp256k1(Verifier):
    """Verifies by nonce points: the ids that they tell are wanted soon after, of Ethereum's."""

    def __init__(self, point: bytes) -> None:
        super().__init__(lambda *claim: self.each([Claim(*claim)])[0])
        self._recovery = recovery(point)

    def each(self, claims: Sequence[Claim]) -> list[bool]:
        """Tell of each whether it is right, of which a high s is not."""
        hashed = [
            Digested(_HASHES[claim.digest](claim.message), claim.signature) for claim in claims
        ]
        found = self._recovery.ids(hashed)
        return [
            number is not None and is_low_s(item.signature)
            for number, item in zip(found, hashed, strict=True)
        ]


def _p256(point: bytes) -> _Check:
    key = load_p256(point)
    scheme = ec.ECDSA(_SHA256)
    return lambda signature, message: key.verify(_der(signature), message, scheme)


def _ed25519(public_key: bytes) -> _One:
    # libsodium does it in two thirds of OpenSSL's time, and is no less strict.
    def verify(message: bytes, digest: Digest, signature: bytes) -> bool:
        if len(signature) != _ED25519_SIZE:
            return False
        try:
            crypto_sign_open(signature + message, public_key)
        except BadSignatureError:
            return False
        return digest is Digest.NATIVE

    return verify


def _rsa_pkcs1(der: bytes) -> _Check:
    key = load_rsa(der)
    scheme = padding.PKCS1v15()
    return lambda signature, message: key.verify(signature, message, scheme, _SHA256)


def _rsa_pss(der: bytes) -> _Check:
    key = load_rsa(der)
    return lambda signature, message: key.verify(signature, message, _PSS, _SHA256)


_CHECKS: Final[Mapping[Algorithm, Callable[[bytes], _Check]]] = {
    Algorithm.ECDSA_P256: _p256,
    Algorithm.RSA_PKCS1_SHA256: _rsa_pkcs1,
    Algorithm.RSA_PSS_SHA256: _rsa_pss,
}
