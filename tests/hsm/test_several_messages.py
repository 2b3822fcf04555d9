"""One approval over several messages: all of them are signed, or none is released."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing

import coincurve
import pytest
from msgspec.structs import replace

from policy.algorithms import Algorithm, Digest
from signer.approval import Approval, ApprovalInvalidError, Mint
from signer.errors import HsmRefusedError, OutcomeUnknownError, SignatureInvalidError
from signer.hsm import Pool, Token
from signer.hsm.errors import Ckr
from tests.support.signing import approval
from tests.support.switched import Fault, SwitchedToken, fails

pytestmark = pytest.mark.usefixtures("hand_over")

SECP256K1 = Algorithm.ECDSA_SECP256K1
FIRST, SECOND, THIRD = b"first", b"second", b"third"


def _in_time() -> float:
    return time.monotonic() + 5


def _three() -> Approval:
    return replace(approval(SECP256K1, FIRST, Digest.SHA256D), further=(SECOND, THIRD))


@pytest.fixture
def switched(token: Token) -> SwitchedToken:
    """The shared token behind a switch that is off."""
    return SwitchedToken(token)


@pytest.fixture
def one(switched: SwitchedToken, mint: Mint) -> Iterator[Pool]:
    """A pool with a single switched session."""
    with closing(Pool(switched.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        yield pool


def _from_the_second_on(fault: Fault) -> Fault:
    seen: list[bytes] = []

    def spared(signature: bytes) -> bytes | int:
        seen.append(signature)
        return signature if len(seen) == 1 else fault(signature)

    return spared


def test_every_message_is_signed_in_order(pool: Pool, mint: Mint) -> None:
    """Each 64 bytes are the signature of one message, hashed twice as Bitcoin does."""
    signatures = pool.sign(mint.issue(_three()), _in_time())
    assert len(signatures) == 3 * 64
    key = coincurve.PublicKey(pool.public_key(SECP256K1.value, 1).point)
    for at, message in enumerate((FIRST, SECOND, THIRD)):
        compact = signatures[64 * at : 64 * at + 64]
        der = coincurve.ecdsa.cdata_to_der(coincurve.ecdsa.deserialize_compact(compact))
        digest = hashlib.sha256(hashlib.sha256(message).digest()).digest()
        assert key.verify(der, digest, hasher=None)


def test_the_approval_is_single_use(pool: Pool, mint: Mint) -> None:
    """One approval gives its signatures once, however many they are."""
    issued = mint.issue(_three())
    pool.sign(issued, _in_time())
    with pytest.raises(ApprovalInvalidError):
        pool.sign(issued, _in_time())


def test_a_refusal_after_a_signature_is_not_certain(
    one: Pool, switched: SwitchedToken, mint: Mint
) -> None:
    """What would give a reservation back does not, once the token has signed a message."""
    switched.switch.fault = fails(Ckr.DATA_INVALID)
    with pytest.raises(HsmRefusedError):
        one.sign(mint.issue(_three()), _in_time())
    switched.switch.fault = _from_the_second_on(fails(Ckr.DATA_INVALID))
    with pytest.raises(OutcomeUnknownError, match="after another signature") as caught:
        one.sign(mint.issue(_three()), _in_time())
    assert not caught.value.certain


def test_one_bad_signature_spoils_all(one: Pool, switched: SwitchedToken, mint: Mint) -> None:
    """Every signature is verified, and none is released beside a bad one."""
    switched.switch.fault = _from_the_second_on(lambda signature: bytes(len(signature)))
    with pytest.raises(SignatureInvalidError):
        one.sign(mint.issue(_three()), _in_time())


@pytest.mark.parametrize(
    "algorithm", [Algorithm.ECDSA_P256, Algorithm.ED25519, Algorithm.HMAC_SHA256]
)
def test_only_secp256k1_hashes_twice(pool: Pool, mint: Mint, algorithm: Algorithm) -> None:
    """A digest that an algorithm does not have is refused for certain."""
    issued = mint.issue(approval(algorithm, FIRST, Digest.SHA256D))
    with pytest.raises(HsmRefusedError, match="sha256d"):
        pool.sign(issued, _in_time())
