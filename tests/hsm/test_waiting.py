"""Who waits for a session: in line, refused at once, to the deadline, and no longer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from signer.approval import Mint
from signer.errors import (
    HsmOverloadedError,
    HsmUnavailableError,
    OutcomeUnknownError,
)
from signer.hsm import Pool
from signer.hsm.errors import Ckr
from signer.hsm.health import SessionState
from signer.hsm.limits import Limits
from tests.support.switched import SwitchedToken, wait_for
from tests.support.switched_pools import Gate, is_up, sign_once

pytestmark = pytest.mark.usefixtures("hand_over")


def _held(pool: Pool, token: SwitchedToken, mint: Mint, then: Callable[[], None]) -> None:
    """Run something while the only session is at work."""
    gate = token.switch.fault = Gate()
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(sign_once, pool, mint)
        try:
            assert gate.entered.wait(10)
            then()
        finally:
            gate.opened.set()
        busy.exception(10)


def test_no_session_in_time(first: SwitchedToken, mint: Mint) -> None:
    """With every session at work a request waits to its deadline, and nothing was signed."""

    def then() -> None:
        began = time.monotonic()
        with pytest.raises(HsmUnavailableError, match="no session was free in time"):
            sign_once(pool, mint, 0.05)
        assert 0.05 <= time.monotonic() - began < 2

    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        _held(pool, first, mint, then)


def test_a_full_line_refuses_at_once(first: SwitchedToken, mint: Mint) -> None:
    """A request that finds the line full is told so at once, and takes nobody's place."""
    limits = Limits(queue=1)

    def then() -> None:
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(sign_once, pool, mint, 0.3)
            wait_for(lambda: pool.waiting()["urgent"] == 1)
            began = time.monotonic()
            with pytest.raises(HsmOverloadedError, match="wait already") as refused:
                sign_once(pool, mint)
            assert time.monotonic() - began < 0.2
            assert refused.value.certain
            with pytest.raises(HsmUnavailableError):
                waiting.result(5)

    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem, limits=limits)) as pool:
        _held(pool, first, mint, then)


def test_a_line_that_is_too_long_refuses_at_once(first: SwitchedToken, mint: Mint) -> None:
    """A request whose turn would come after its deadline is refused and does not wait."""

    def then() -> None:
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(sign_once, pool, mint, 0.3)
            wait_for(lambda: pool.waiting()["urgent"] == 1)
            with pytest.raises(HsmOverloadedError, match="would go first") as refused:
                sign_once(pool, mint, 1)
            assert refused.value.seconds == 4  # its own two after the other's two
            waiting.exception(5)

    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        pool._desk.served(2.0, time.monotonic())
        _held(pool, first, mint, then)


def test_who_gave_up_is_not_signed_for(first: SwitchedToken, mint: Mint) -> None:
    """A request whose caller went away before its turn never reaches the token."""

    def then() -> None:
        with pytest.raises(HsmUnavailableError):
            sign_once(pool, mint, 0.05)

    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        before = first.switch.signed
        _held(pool, first, mint, then)
        assert first.switch.signed == before + 1


def test_a_stuck_call_does_not_keep_its_caller(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """A call that hangs ends as unknown, its session counts as stuck, and heals when it ends."""
    gate = first.switch.fault = Gate()
    began = time.monotonic()
    with pytest.raises(OutcomeUnknownError, match="did not answer in time"):
        sign_once(one, mint, 60)
    assert 0.2 <= time.monotonic() - began < 2
    assert one.status()[0].sessions[SessionState.STUCK] == 1
    assert one.must_restart
    assert not one.is_ready
    closed = first.switch.closed
    gate.opened.set()
    wait_for(lambda: is_up(one))
    assert first.switch.closed == closed + 1
    assert not one.must_restart
    assert len(sign_once(one, mint)) == 64


def test_a_call_that_was_stuck_says_nothing_about_those_to_come(
    one: Pool, first: SwitchedToken, mint: Mint
) -> None:
    """Once it has ended, whoever comes as second in the line is not told that it is too long."""
    gate = first.switch.fault = Gate()
    with pytest.raises(OutcomeUnknownError):
        sign_once(one, mint, 60)
    time.sleep(0.8)
    gate.opened.set()
    wait_for(lambda: is_up(one))

    def then() -> None:
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(sign_once, one, mint, 0.1)
            wait_for(lambda: one.waiting()["urgent"] == 1)
            with pytest.raises(HsmUnavailableError, match="no session was free in time"):
                sign_once(one, mint, 0.1)
            waiting.exception(5)

    _held(one, first, mint, then)


def test_the_deadline_ends_a_call_under_way(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """At its deadline a request that is at work is unknown: it may be signed."""
    gate = first.switch.fault = Gate()
    with pytest.raises(OutcomeUnknownError):
        sign_once(one, mint, 0.05)
    gate.opened.set()


def test_who_waits_hears_that_the_last_slot_went_down(
    one: Pool, first: SwitchedToken, mint: Mint
) -> None:
    """Requests in the line end when no slot is up any more, and were not signed."""
    entered, leave = threading.Event(), threading.Event()

    def slow(_signature: bytes) -> int:
        entered.set()
        assert leave.wait(10)
        return int(Ckr.DEVICE_REMOVED)

    first.switch.fault = slow
    with ThreadPoolExecutor(2) as threads:
        at_work = threads.submit(sign_once, one, mint)
        assert entered.wait(10)
        waiting = threads.submit(sign_once, one, mint)
        wait_for(lambda: one.waiting()["urgent"] == 1)
        leave.set()
        with pytest.raises(OutcomeUnknownError):
            at_work.result(5)
        with pytest.raises(HsmUnavailableError):
            waiting.result(5)
