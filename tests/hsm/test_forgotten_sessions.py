"""What a session leaves behind when it ends: next to nothing, however many there were."""

import gc
import time
from contextlib import closing

import pytest

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.hsm import Pool, Token
from signer.hsm.session import BoundSession
from tests.support.signing import approval
from tests.support.switched import SwitchedToken

P256 = Algorithm.ECDSA_P256
LEFT = 32  # that the compiled hand-over still knows

pytestmark = pytest.mark.usefixtures("hand_over")


def test_sessions_that_ended_are_forgotten(token: Token, mint: Mint) -> None:
    """Of a hundred sessions after each other, most are not there any more."""
    before = _sessions()
    switched = SwitchedToken(token, label="first")
    with closing(Pool(switched.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        for generation in range(1, 101):
            pool._slots[0]._renew(generation)
            pool.sign(mint.issue(approval(P256)), time.monotonic() + 5)
        assert switched.switch.opened > 100
        assert _sessions() - before <= LEFT + 2


def _sessions() -> int:
    gc.collect()
    return sum(isinstance(each, BoundSession) for each in gc.get_objects())
