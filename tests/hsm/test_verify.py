"""What is not a signature of this key over this message is not released."""

import pytest

from policy.algorithms import Algorithm, Digest
from signer.hsm import Pool
from signer.hsm.verify import Claim, Verifier, verifier
from tests.support.signing import Sign

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MESSAGE = b"pay 5 to bob"
ASYMMETRIC = [algorithm for algorithm in Algorithm if not algorithm.is_mac]


def _verifier(pool: Pool, algorithm: Algorithm) -> Verifier:
    return verifier(pool.public_key(algorithm.value, 1), algorithm)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_right_and_wrong(pool: Pool, sign: Sign, algorithm: Algorithm) -> None:
    """One changed bit, another message, a missing or an extra byte: each is refused."""
    good = sign(algorithm, MESSAGE)
    verify = _verifier(pool, algorithm)
    assert verify(MESSAGE, Digest.NATIVE, good)
    assert not verify(MESSAGE + b"!", Digest.NATIVE, good)
    assert not verify(MESSAGE, Digest.KECCAK256, good)
    for bad in (
        bytes([good[0] ^ 1]) + good[1:],
        good[:-1] + bytes([good[-1] ^ 1]),
        good[:-1],
        good + b"\0",
        b"",
        bytes(len(good)),
        b"\xff" * len(good),
    ):
        assert not verify(MESSAGE, Digest.NATIVE, bad)


def test_keccak_right_and_wrong(pool: Pool, sign: Sign) -> None:
    """A signature that is verified by recovering its key is refused for the same reasons."""
    verify = _verifier(pool, Algorithm.ECDSA_SECP256K1)
    for number in range(8):  # either recovery id
        message = MESSAGE + bytes([number])
        good = sign(Algorithm.ECDSA_SECP256K1, message, Digest.KECCAK256)
        assert verify(message, Digest.KECCAK256, good)
        assert not verify(MESSAGE, Digest.KECCAK256, good)
        assert not verify(message, Digest.NATIVE, good)
        flipped = good[:-1] + bytes([good[-1] ^ 1])
        for bad in (flipped, good[:-1], good + b"\0", b"", bytes(64), b"\xff" * 64):
            assert not verify(message, Digest.KECCAK256, bad)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_several_together(pool: Pool, sign: Sign, algorithm: Algorithm) -> None:
    """Each of several signatures is judged by itself, whatever stands beside it."""
    secp256k1 = algorithm is Algorithm.ECDSA_SECP256K1
    digests = [Digest.NATIVE, Digest.KECCAK256] if secp256k1 else [Digest.NATIVE]
    claims = [
        Claim(message, digest, sign(algorithm, MESSAGE, digest))
        for digest in digests * 2
        for message in (MESSAGE, b"other")
    ]
    verify = _verifier(pool, algorithm)
    assert verify.each(claims) == [True, False] * (len(claims) // 2)
    assert verify.each([]) == []


@pytest.mark.parametrize("digest", [Digest.NATIVE, Digest.KECCAK256])
def test_high_s_is_refused(pool: Pool, sign: Sign, digest: Digest) -> None:
    """The other form of a right secp256k1 signature is not released."""
    good = sign(Algorithm.ECDSA_SECP256K1, MESSAGE, digest)
    high = good[:32] + (N - int.from_bytes(good[32:])).to_bytes(32)
    verify = _verifier(pool, Algorithm.ECDSA_SECP256K1)
    assert verify(MESSAGE, digest, good)
    assert not verify(MESSAGE, digest, high)


@pytest.mark.parametrize("algorithm", [a for a in Algorithm if a.is_mac])
def test_macs_by_length(pool: Pool, sign: Sign, algorithm: Algorithm) -> None:
    """A MAC of another length is refused."""
    mac = sign(algorithm, MESSAGE)
    verify = _verifier(pool, algorithm)
    assert verify(MESSAGE, Digest.NATIVE, mac)
    assert not verify(MESSAGE, Digest.NATIVE, mac[:-1])
    assert not verify(MESSAGE, Digest.NATIVE, b"")
    assert not verify(MESSAGE, Digest.KECCAK256, mac)


def test_public_keys_know_what_they_are(pool: Pool) -> None:
    """A point is asked of ECDSA keys only, and PEM of all but HMAC keys."""
    assert len(pool.public_key("ecdsa-p256", 1).point) == 65
    with pytest.raises(ValueError, match="is not an ECDSA key"):
        _ = pool.public_key("ed25519", 1).point
    with pytest.raises(ValueError, match="has no public half"):
        pool.public_key("hmac-sha256", 1).pem()
