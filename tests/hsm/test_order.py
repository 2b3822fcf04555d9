"""Signatures that are begun, and waited for later or never."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from signer.approval import ApprovalInvalidError, Mint
from signer.errors import HsmUnavailableError, OutcomeUnknownError
from signer.hsm import Pool
from signer.hsm.order import Order
from tests.support.signing import approval
from tests.support.switched import SwitchedToken, wait_for
from tests.support.switched_pools import P256, Gate, is_up, sign_once

pytestmark = pytest.mark.usefixtures("hand_over")


def _begin(pool: Pool, mint: Mint, number: int, seconds: float = 30) -> Order:
    approvals = [mint.issue(approval(P256)) for _ in range(number)]
    return pool.begin(approvals, [time.monotonic() + seconds] * number)


def test_what_is_begun_is_not_waited_for(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """The caller goes on while the token works, and has the signature when it asks."""
    gate = first.switch.fault = Gate()
    order = _begin(one, mint, 1)
    assert gate.entered.wait(10)  # and this thread came so far
    gate.opened.set()
    [signature] = order.results()
    assert isinstance(signature, bytes)
    assert len(signature) == 64


def test_no_more_is_begun_than_sessions_are_there(first: SwitchedToken, mint: Mint) -> None:
    """The others of an order wait with it, and are signed all the same.

    Nobody knows yet how quick the token is, so that each is a job of its own.
    """
    gate = first.switch.fault = Gate()
    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        order = _begin(pool, mint, 3)
        assert gate.entered.wait(10)
        assert pool.waiting()["urgent"] == 0
        gate.opened.set()
        assert [type(each) for each in order.results()] == [bytes] * 3


def test_what_is_dropped_is_not_begun(first: SwitchedToken, mint: Mint) -> None:
    """It leaves the line, its approvals are used up, and whoever asks for it gets nothing."""
    gate = first.switch.fault = Gate()
    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        before = first.switch.signed
        with ThreadPoolExecutor(1) as threads:
            busy = threads.submit(sign_once, pool, mint)
            assert gate.entered.wait(10)
            wanted = mint.issue(approval(P256))
            order = pool.begin([wanted], [time.monotonic() + 30])
            assert pool.waiting()["urgent"] == 1
            order.drop()
            assert pool.waiting()["urgent"] == 0
            gate.opened.set()
            busy.result(10)
        [left] = order.results()
        assert isinstance(left, HsmUnavailableError)
        assert first.switch.signed == before + 1
        with pytest.raises(ApprovalInvalidError):
            mint.redeem(wanted)


@pytest.mark.parametrize("done", [False, True])
def test_what_is_dropped_at_the_token_harms_nobody(
    one: Pool, first: SwitchedToken, mint: Mint, *, done: bool
) -> None:
    """Whether its call is under way or done, the session signs for others afterwards."""
    gate = first.switch.fault = Gate()
    order = _begin(one, mint, 1)
    assert gate.entered.wait(10)
    if done:
        gate.opened.set()
        order.results()
        order.drop()
    else:
        order.drop()
        [left] = order.results()
        assert isinstance(left, OutcomeUnknownError)
        gate.opened.set()
    wait_for(lambda: is_up(one))
    assert len(sign_once(one, mint)) == 64
