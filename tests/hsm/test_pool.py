"""The pool signs what was approved, once, and releases nothing that does not verify."""

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pkcs11
import pytest
from pkcs11 import exceptions
from pkcs11.constants import MechanismFlag

from policy.algorithms import Algorithm
from signer.approval import Approval, ApprovalInvalidError, Mint
from signer.errors import (
    ConfigError,
    HsmRefusedError,
    HsmUnavailableError,
    OutcomeUnknownError,
    SignatureInvalidError,
)
from signer.hsm import Pool, Token
from signer.hsm.errors import Ckr
from signer.hsm.names import KeyVersion
from tests.support.signing import approval
from tests.support.switched import Fault, SwitchedToken, fails, wait_for

pytestmark = pytest.mark.usefixtures("hand_over")

P256 = Algorithm.ECDSA_P256


def _in_time() -> float:
    return time.monotonic() + 5


@pytest.fixture
def switched(token: Token) -> SwitchedToken:
    """The shared token behind a switch that is off."""
    return SwitchedToken(token)


@pytest.fixture
def one(switched: SwitchedToken, mint: Mint) -> Iterator[Pool]:
    """A pool with a single switched session."""
    with closing(Pool(switched.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        yield pool


def test_forged_approval(pool: Pool) -> None:
    """An approval that the ledger did not issue signs nothing."""
    with pytest.raises(ApprovalInvalidError):
        pool.sign(approval(P256), _in_time())


def test_equal_approval_is_still_forged(pool: Pool, mint: Mint) -> None:
    """A copy of an issued approval signs nothing; the issued one still does."""
    issued = mint.issue(approval(P256))
    with pytest.raises(ApprovalInvalidError):
        pool.sign(approval(P256), _in_time())
    assert len(pool.sign(issued, _in_time())) == 64


def test_used_approval(pool: Pool, mint: Mint) -> None:
    """An approval signs once."""
    issued = mint.issue(approval(P256))
    pool.sign(issued, _in_time())
    with pytest.raises(ApprovalInvalidError):
        pool.sign(issued, _in_time())


def test_approval_is_used_up_by_failure(one: Pool, switched: SwitchedToken, mint: Mint) -> None:
    """After an unknown outcome the same approval cannot be tried again."""
    issued = mint.issue(approval(P256))
    switched.switch.fault = fails(Ckr.DEVICE_ERROR)
    with pytest.raises(OutcomeUnknownError):
        one.sign(issued, _in_time())
    switched.switch.fault = None
    with pytest.raises(ApprovalInvalidError):
        one.sign(issued, _in_time())


@pytest.mark.parametrize(
    "wrong",
    [
        approval(P256, key="unknown"),
        approval(P256, key="ed25519"),
        approval(Algorithm.HMAC_SHA512, key="hmac-sha256"),
        Approval(("caller", "request"), "ecdsa-p256", 2, P256, b"message"),
    ],
)
def test_unknown_key_or_algorithm(pool: Pool, mint: Mint, wrong: Approval) -> None:
    """A key that is not on the token, and one of another algorithm, are refused for certain."""
    with pytest.raises(HsmRefusedError, match="on this token") as refused:
        pool.sign(mint.issue(wrong), _in_time())
    assert refused.value.certain


def _flip(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


def _longer(signature: bytes) -> bytes:
    return signature + b"\0"


def _zeros(signature: bytes) -> bytes:
    return bytes(len(signature))


# Of a MAC, only the length tells a lie.
LIES = [
    (algorithm, lie)
    for algorithm in Algorithm
    for lie in ((_longer,) if algorithm.is_mac else (_flip, _longer, _zeros))
]


@pytest.mark.parametrize(("algorithm", "lie"), LIES)
def test_bad_signature_stays_inside(
    one: Pool, switched: SwitchedToken, mint: Mint, algorithm: Algorithm, lie: Fault
) -> None:
    """What does not verify is not released, and counts as spent; its session is closed."""
    closed = switched.switch.closed
    switched.switch.fault = lie
    with pytest.raises(SignatureInvalidError) as invalid:
        one.sign(mint.issue(approval(algorithm)), _in_time())
    assert not invalid.value.certain
    wait_for(lambda: switched.switch.closed == closed + 1)


def test_no_time_left(pool: Pool, mint: Mint) -> None:
    """A deadline in the past reaches no session, even a free one."""
    with pytest.raises(HsmUnavailableError, match="no time is left"):
        pool.sign(mint.issue(approval(P256)), time.monotonic() - 1)


def test_probe_at_the_start(switched: SwitchedToken, mint: Mint) -> None:
    """A key whose probe signature does not verify stops the start, and leaks no session."""
    switched.switch.spare_probes = False
    switched.switch.fault = _flip
    with pytest.raises(ConfigError, match="a probe signature does not verify"):
        Pool(switched.as_token(), sessions=2, redeem=mint.redeem)
    assert switched.switch.opened == switched.switch.closed


def test_token_down_at_the_start(switched: SwitchedToken, mint: Mint) -> None:
    """A token that opens no session stops the start with its answer."""
    switched.switch.open_error = exceptions.TokenNotPresent()
    with pytest.raises(HsmUnavailableError, match="'switched': CKR_TOKEN_NOT_PRESENT"):
        Pool(switched.as_token(), sessions=2, redeem=mint.redeem)


def test_close(switched: SwitchedToken, mint: Mint) -> None:
    """A closed pool signs nothing and leaves no session open."""
    pool = Pool(switched.as_token(), sessions=3, redeem=mint.redeem)
    pool.close()
    with pytest.raises(HsmUnavailableError, match="closed"):
        pool.sign(mint.issue(approval(P256)), _in_time())
    assert switched.switch.opened == switched.switch.closed


def test_close_while_signing(switched: SwitchedToken, mint: Mint) -> None:
    """A session that is at work when the pool closes is closed after its success."""
    pool = Pool(switched.as_token(), sessions=1, redeem=mint.redeem)

    closer = threading.Thread(target=pool.close)

    def close_meanwhile(signature: bytes) -> bytes:
        closer.start()
        wait_for(pool._stopping.is_set)
        return signature

    switched.switch.fault = close_meanwhile
    assert len(pool.sign(mint.issue(approval(P256)), _in_time())) == 64
    closer.join(10)
    assert switched.switch.opened == switched.switch.closed


def test_key_versions(pool: Pool) -> None:
    """The pool tells what it can sign with, and nothing of what it cannot."""
    assert ("ecdsa-p256", 1) in pool.key_versions()
    assert pool.public_key("ecdsa-p256", 1).name == KeyVersion("ecdsa-p256", 1)
    with pytest.raises(HsmRefusedError, match="keys/nothing/versions/1 is not on the token"):
        pool.public_key("nothing", 1)


@dataclass
class PoorToken(SwitchedToken):
    """A token without some mechanisms."""

    missing: frozenset[pkcs11.Mechanism] = frozenset()

    def can(self, mechanism: pkcs11.Mechanism, flag: MechanismFlag) -> bool:
        """Deny what is missing."""
        return mechanism not in self.missing and self.real.can(mechanism, flag)


def test_token_without_a_mechanism(token: Token, mint: Mint) -> None:
    """A key that the token cannot serve is refused at the start, by name."""
    poor = PoorToken(token, missing=frozenset({pkcs11.Mechanism.EDDSA}))
    with pytest.raises(ConfigError, match=r"keys/.+/versions/1: .* has no mechanism for ed25519"):
        Pool(poor.as_token(), sessions=1, redeem=mint.redeem)


def test_token_with_one_padding(token: Token, mint: Mint) -> None:
    """An RSA key serves the padding that the token has."""
    poor = PoorToken(token, missing=frozenset({pkcs11.Mechanism.RSA_PKCS_PSS}))
    with closing(Pool(poor.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        pool.sign(mint.issue(approval(Algorithm.RSA_PKCS1_SHA256)), _in_time())
        with pytest.raises(HsmRefusedError):
            pool.sign(mint.issue(approval(Algorithm.RSA_PSS_SHA256)), _in_time())


def test_mechanisms_of_the_real_token(token: Token) -> None:
    """The probe believes the token: SoftHSM has ECDSA for signing, and no ECDSA_SHA256."""
    assert token.can(pkcs11.Mechanism.ECDSA, MechanismFlag.SIGN)
    assert not token.can(pkcs11.Mechanism.ECDSA, MechanismFlag.ENCRYPT)
    assert not token.can(pkcs11.Mechanism.ECDSA_SHA256, MechanismFlag.SIGN)


def test_signing_leaves_nothing_to_the_garbage_collector(pool: Pool, mint: Mint) -> None:
    """Nothing that a signature needs refers to itself: collecting would stop every thread."""
    pool.sign(mint.issue(approval(P256)), _in_time())
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            pool.sign(mint.issue(approval(P256)), _in_time())
        assert gc.collect() < 50
    finally:
        gc.enable()
