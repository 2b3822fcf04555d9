"""Tokens, keys and a pool for the tests of the token's part."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from policy.algorithms import Algorithm, Digest
from signer.approval import Mint
from signer.hsm import Pool, Token, keys
from signer.hsm.handover import VARIABLE
from signer.hsm.limits import Limits
from signer.hsm.names import KeyVersion
from tests.support.signing import Sign, approval
from tests.support.softhsm import SoftHsm
from tests.support.switched import SwitchedToken


@pytest.fixture(scope="session")
def token(softhsm: SoftHsm) -> Iterator[Token]:
    """The shared token, logged in, with one key of each algorithm named after it."""
    with closing(softhsm.open()) as opened:
        for algorithm in Algorithm:
            bits = 2048 if algorithm.startswith("rsa") else None
            keys.generate(opened, KeyVersion(algorithm.value, 1), algorithm, bits=bits)
        yield opened


@pytest.fixture
def scratch(softhsm: SoftHsm) -> Iterator[Token]:
    """A token that is empty before and after, for keys that are broken on purpose."""
    with closing(softhsm.open("signgate-scratch")) as opened:
        yield opened
        with opened.open(rw=True) as session:
            for thing in list(session.get_objects()):
                thing.destroy()


@pytest.fixture(params=["compiled", "plain"])
def hand_over(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the hand-overs in turn, for every pool and desk of a test."""
    monkeypatch.setenv(VARIABLE, request.param)
    return str(request.param)


@pytest.fixture
def mint() -> Mint:
    """The issuer of approvals."""
    return Mint()


@pytest.fixture
def first(token: Token) -> SwitchedToken:
    """The shared token behind a switch that is off."""
    return SwitchedToken(token, label="first")


@pytest.fixture
def one(first: SwitchedToken, mint: Mint) -> Iterator[Pool]:
    """A pool with a single session; a call is stuck after 0.2 seconds."""
    limits = Limits(stuck_seconds=0.2, keepalive_seconds=0.1, restart_seconds=0.1)
    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem, limits=limits)) as pool:
        yield pool


@pytest.fixture
def pool(token: Token, mint: Mint) -> Iterator[Pool]:
    """A pool of two sessions on the shared token."""
    with closing(Pool(token, sessions=2, redeem=mint.redeem)) as opened:
        yield opened


@pytest.fixture
def sign(pool: Pool, mint: Mint) -> Sign:
    """A function that signs by the pool with a new approval."""

    def signed(
        algorithm: Algorithm,
        message: bytes = b"message",
        digest: Digest = Digest.NATIVE,
        key: str | None = None,
    ) -> bytes:
        issued = mint.issue(approval(algorithm, message, digest, key))
        return pool.sign(issued, time.monotonic() + 5)

    return signed
