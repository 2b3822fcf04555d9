"""Every algorithm signs, and somebody else's code agrees."""

import hashlib
import hmac

import coincurve
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from eth_keys.datatypes import Signature
from pkcs11 import Mechanism

from policy.algorithms import Algorithm, Digest
from policy.keccak import keccak256
from signer.errors import HsmRefusedError, SignatureInvalidError
from signer.hsm import Pool, Token, keys
from signer.hsm.catalogue import signing_key
from signer.hsm.mechanisms import SCHEMES, low_s, sha256
from signer.hsm.names import KeyVersion
from tests.support.signing import Sign

ORDER = coincurve.utils.GROUP_ORDER_INT
MESSAGE = b"pay 5 to bob"


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))


def test_p256_verifies(pool: Pool, sign: Sign) -> None:
    """A P-256 signature is r || s over the SHA-256 of the message."""
    signature = sign(Algorithm.ECDSA_P256, MESSAGE)
    key = load_pem_public_key(pool.public_key("ecdsa-p256", 1).pem().encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert len(signature) == 64
    key.verify(_der(signature), MESSAGE, ec.ECDSA(hashes.SHA256()))


def test_secp256k1_verifies(pool: Pool, sign: Sign) -> None:
    """A secp256k1 signature is over the SHA-256 of the message unless Keccak is asked for."""
    key = load_pem_public_key(pool.public_key("ecdsa-secp256k1", 1).pem().encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = sign(Algorithm.ECDSA_SECP256K1, MESSAGE)
    key.verify(_der(signature), MESSAGE, ec.ECDSA(hashes.SHA256()))


def test_ethereum_recovers_the_key(pool: Pool, sign: Sign) -> None:
    """From a Keccak signature and its recovery id, Ethereum's own code finds the key."""
    public_key = pool.public_key("ecdsa-secp256k1", 1)
    for number in range(20):
        message = MESSAGE + bytes([number])
        signature = sign(Algorithm.ECDSA_SECP256K1, message, Digest.KECCAK256)
        v = public_key.recovery_id(keccak256(message), signature)
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        recovered = Signature(vrs=(v, r, s)).recover_public_key_from_msg(message)
        assert recovered.to_bytes() == public_key.point[1:]


def test_no_recovery_id_for_another_key(pool: Pool, sign: Sign) -> None:
    """A signature over something else, or no signature at all, has no recovery id."""
    public_key = pool.public_key("ecdsa-secp256k1", 1)
    signature = sign(Algorithm.ECDSA_SECP256K1, MESSAGE)
    for digest, bad in ((sha256(b"other"), signature), (sha256(MESSAGE), bytes(64))):
        with pytest.raises(SignatureInvalidError, match="not from keys/ecdsa-secp256k1"):
            public_key.recovery_id(digest, bad)


def test_no_recovery_id_for_another_payload(pool: Pool, sign: Sign) -> None:
    """One that was verified a moment ago has none beside what another request asked for.

    So no answer puts a signature to a transaction that it is not for, whatever got mixed up.
    """
    public_key = pool.public_key("ecdsa-secp256k1", 1)
    signature = sign(Algorithm.ECDSA_SECP256K1, MESSAGE, Digest.KECCAK256)
    with pytest.raises(SignatureInvalidError, match="not from keys/ecdsa-secp256k1"):
        public_key.recovery_id(keccak256(b"other"), signature)


def test_low_s(token: Token, sign: Sign) -> None:
    """No secp256k1 signature has a high s, though the token gives many."""
    with token.open() as session:
        key = signing_key(session, KeyVersion("ecdsa-secp256k1", 1))
        raw = [key.sign(bytes([n]) * 32, mechanism=Mechanism.ECDSA) for n in range(64)]  # type: ignore[attr-defined] # a mixin of the run
    assert any(int.from_bytes(signature[32:]) > ORDER // 2 for signature in raw)
    for number in range(256):
        signature = sign(Algorithm.ECDSA_SECP256K1, MESSAGE + bytes([number]))
        assert 0 < int.from_bytes(signature[32:]) <= ORDER // 2


@pytest.mark.parametrize(
    ("s", "wanted"),
    [
        (1, 1),
        (ORDER // 2, ORDER // 2),
        (ORDER // 2 + 1, ORDER // 2),
        (ORDER - 1, 1),
        (ORDER, ORDER),  # not a signature: left for verification to refuse
        (2**256 - 1, 2**256 - 1),
        (0, 0),
    ],
)
def test_low_s_at_its_edges(s: int, wanted: int) -> None:
    """Exactly the upper half of the range is turned over."""
    r = b"r" * 32
    assert low_s(r + s.to_bytes(32)) == r + wanted.to_bytes(32)


def test_ed25519_verifies(pool: Pool, sign: Sign) -> None:
    """An Ed25519 signature is over the message itself, here a long one."""
    message = MESSAGE * 10_000
    key = load_pem_public_key(pool.public_key("ed25519", 1).pem().encode())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(sign(Algorithm.ED25519, message), message)


def test_rsa_verifies_in_both_paddings(pool: Pool, sign: Sign) -> None:
    """An RSA key serves the padding that the approval names, PSS with a salt of 32."""
    key = load_pem_public_key(pool.public_key("rsa-pss-sha256", 1).pem().encode())
    assert isinstance(key, rsa.RSAPublicKey)
    pkcs1 = sign(Algorithm.RSA_PKCS1_SHA256, MESSAGE, key="rsa-pss-sha256")
    key.verify(pkcs1, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    pss = sign(Algorithm.RSA_PSS_SHA256, MESSAGE)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
    key.verify(pss, MESSAGE, scheme, hashes.SHA256())


@pytest.mark.parametrize("size", [16, 31, 32, 48, 64, 65, 200])
@pytest.mark.parametrize("algorithm", [a for a in Algorithm if a.is_mac])
def test_hmac_agrees(scratch: Token, algorithm: Algorithm, size: int) -> None:
    """A MAC is that of the secret as given, padded or not, and longer than a block or not."""
    name, secret = KeyVersion("exchange", 1), bytes(range(1, size + 1))
    keys.import_secret(scratch, name, algorithm, secret)
    scheme = SCHEMES[algorithm]
    with scratch.open() as session:
        key = signing_key(session, name)
        mac = key.sign(MESSAGE, mechanism=scheme.mechanism)  # type: ignore[attr-defined] # a mixin of the run
    assert mac == hmac.digest(secret, MESSAGE, getattr(hashlib, algorithm.removeprefix("hmac-")))


@pytest.mark.parametrize("algorithm", [a for a in Algorithm if a is not Algorithm.ECDSA_SECP256K1])
def test_keccak_is_for_secp256k1_only(sign: Sign, algorithm: Algorithm) -> None:
    """A Keccak digest with any other algorithm is refused."""
    with pytest.raises(HsmRefusedError, match="do not sign a keccak256 digest"):
        sign(algorithm, MESSAGE, Digest.KECCAK256)


@pytest.mark.parametrize(
    ("algorithm", "data"),
    [
        (Algorithm.ECDSA_P256, b""),
        (Algorithm.ECDSA_P256, bytes(31)),
        (Algorithm.ECDSA_P256, bytes(33)),
        (Algorithm.ECDSA_SECP256K1, bytes(20)),
        (Algorithm.ECDSA_SECP256K1, bytes(64)),
        (Algorithm.RSA_PKCS1_SHA256, bytes(32)),
        (Algorithm.RSA_PSS_SHA256, bytes(51)),
        (Algorithm.ECDSA_P256, memoryview(bytes(32))),
        (Algorithm.ED25519, bytearray(3)),
    ],
)
def test_input_of_wrong_shape(algorithm: Algorithm, data: bytes) -> None:
    """The token is never given a digest of a wrong length, nor anything but bytes."""
    with pytest.raises(HsmRefusedError, match="input must be"):
        SCHEMES[algorithm].check_input(data)
