"""How each algorithm is asked of a token: mechanism, parameters, input, fix-ups.

Messages are hashed here and not on the token, but for Ed25519 and HMAC, which
need the message itself: tokens differ in which hashing mechanisms they have
(SoftHSM has no CKM_ECDSA_SHA256), and none has Keccak.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pkcs11 import MGF, Mechanism

from policy.algorithms import Algorithm, Digest
from policy.keccak import keccak256
from signer.errors import HsmRefusedError
from signer.hsm.cryptoki import CkMechanism
from signer.hsm.recovery import ORDER

# RFC 8017, section 9.2, note 1: what precedes the hash in a DigestInfo for SHA-256.
_SHA256_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
_DIGEST_SIZE: Final = 32
_SCALAR_SIZE: Final = 32
_HALF_ORDER: Final = (ORDER // 2).to_bytes(_SCALAR_SIZE)


def sha256(message: bytes) -> bytes:
    """Return the SHA-256 of the message."""
    return hashlib.sha256(message).digest()


def is_low_s(signature: bytes) -> bool:
    """Whether s is in the lower half of the order (BIP 62)."""
    return signature[_SCALAR_SIZE:] <= _HALF_ORDER


def low_s(signature: bytes) -> bytes:
    """Replace a high s by the order minus s: the same signature in its one form (BIP 62).

    What is not a signature comes back as it is, for verification to refuse.
    """
    s = int.from_bytes(signature[_SCALAR_SIZE:])
    if not ORDER // 2 < s < ORDER:
        return signature
    return signature[:_SCALAR_SIZE] + (ORDER - s).to_bytes(_SCALAR_SIZE)


def _as_is(data: bytes) -> bytes:
    return data


def _sha256d(message: bytes) -> bytes:
    return sha256(sha256(message))


def _digest_info(message: bytes) -> bytes:
    return _SHA256_DIGEST_INFO + sha256(message)


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one algorithm is done.

    ``hashes`` gives for each digest the function from the message to the token's
    input; a digest that is not there is refused. ``input_size`` is that input's
    exact length in bytes, None where any is right. ``prepared`` is the mechanism
    as ``C_SignInit`` takes it.
    """

    mechanism: Mechanism
    hashes: Mapping[Digest, Callable[[bytes], bytes]]
    input_size: int | None = None
    parameters: tuple[Mechanism, MGF, int] | None = None
    normalise: Callable[[bytes], bytes] = _as_is
    prepared: CkMechanism = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parameters = tuple(int(parameter) for parameter in self.parameters or ())
        object.__setattr__(self, "prepared", CkMechanism(int(self.mechanism), parameters))

    def token_input(self, message: bytes, digest: Digest) -> bytes:
        """Return what the token must be given to sign ``message``.

        Raises:
            HsmRefusedError: the algorithm does not go with this digest.
        """
        hash_of = self.hashes.get(digest)
        if hash_of is None:
            raise HsmRefusedError(f"{self.mechanism.name} keys do not sign a {digest} digest")
        return hash_of(message)

    def check_input(self, data: bytes) -> None:
        """Refuse input that the token might take but must not sign.

        SoftHSM signs "digests" of 0 to 32,000 bytes; python-pkcs11 takes anything
        but ``bytes`` for a sequence of chunks.

        Raises:
            HsmRefusedError: wrong type or length.
        """
        if type(data) is not bytes or self.input_size not in (None, len(data)):
            raise HsmRefusedError(f"{self.mechanism.name} input must be {self.input_size} bytes")


def _hmac(mechanism: Mechanism) -> Scheme:
    return Scheme(mechanism, {Digest.NATIVE: _as_is})


SCHEMES: Final[Mapping[Algorithm, Scheme]] = {
    Algorithm.ECDSA_P256: Scheme(Mechanism.ECDSA, {Digest.NATIVE: sha256}, input_size=_DIGEST_SIZE),
    Algorithm.ECDSA_SECP256K1: Scheme(
        Mechanism.ECDSA,
        {Digest.NATIVE: sha256, Digest.KECCAK256: keccak256, Digest.SHA256D: _sha256d},
        input_size=_DIGEST_SIZE,
        normalise=low_s,
    ),
    Algorithm.ED25519: Scheme(Mechanism.EDDSA, {Digest.NATIVE: _as_is}),
    # CKM_RSA_PKCS over a DigestInfo is CKM_SHA256_RSA_PKCS, and more tokens have it.
    Algorithm.RSA_PKCS1_SHA256: Scheme(
        Mechanism.RSA_PKCS,
        {Digest.NATIVE: _digest_info},
        input_size=len(_SHA256_DIGEST_INFO) + _DIGEST_SIZE,
    ),
    Algorithm.RSA_PSS_SHA256: Scheme(
        Mechanism.RSA_PKCS_PSS,
        {Digest.NATIVE: sha256},
        input_size=_DIGEST_SIZE,
        parameters=(Mechanism.SHA256, MGF.SHA256, _DIGEST_SIZE),
    ),
    Algorithm.HMAC_SHA256: _hmac(Mechanism.SHA256_HMAC),
    Algorithm.HMAC_SHA384: _hmac(Mechanism.SHA384_HMAC),
    Algorithm.HMAC_SHA512: _hmac(Mechanism.SHA512_HMAC),
}

# FIPS 180-4: the length of each hash, which is that of the MAC, in bytes.
MAC_SIZES: Final[Mapping[Algorithm, int]] = {
    Algorithm.HMAC_SHA256: 32,
    Algorithm.HMAC_SHA384: 48,
    Algorithm.HMAC_SHA512: 64,
}
