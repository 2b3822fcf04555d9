"""What the pool does about each failure: one more try, other sessions, other slots."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
import structlog
from pkcs11 import exceptions

from signer.approval import Mint
from signer.errors import (
    ConfigError,
    HsmError,
    HsmRefusedError,
    HsmUnavailableError,
    OutcomeUnknownError,
)
from signer.hsm import Pool, Token
from signer.hsm.errors import Ckr
from signer.hsm.health import SlotState
from signer.hsm.token import PinRefusedError
from tests.support.switched import SwitchedToken, fails, wait_for
from tests.support.switched_pools import Gate, is_up, sign_once

pytestmark = pytest.mark.usefixtures("hand_over")

VENDOR = 0x80000001


@pytest.fixture
def second(token: Token) -> SwitchedToken:
    """The same token behind a switch of its own: another slot with the same keys."""
    return SwitchedToken(token, label="second")


@pytest.fixture
def two(first: SwitchedToken, second: SwitchedToken, mint: Mint) -> Iterator[Pool]:
    """A pool of two slots with a session each."""
    tokens = first.as_token(), second.as_token()
    with closing(Pool(*tokens, sessions=1, redeem=mint.redeem)) as pool:
        yield pool


@pytest.mark.parametrize(
    "code",
    [
        Ckr.SESSION_HANDLE_INVALID,
        Ckr.SESSION_CLOSED,
        Ckr.OPERATION_ACTIVE,
        Ckr.KEY_HANDLE_INVALID,
        Ckr.USER_NOT_LOGGED_IN,
        Ckr.GENERAL_ERROR,
        VENDOR,
    ],
)
def test_one_failure_is_tried_again(one: Pool, first: SwitchedToken, mint: Mint, code: int) -> None:
    """After one such failure the request is signed on a new session, and nobody notices."""
    opened, closed = first.switch.opened, first.switch.closed
    first.switch.fault = fails(code, 1)
    assert len(sign_once(one, mint)) == 64
    assert (first.switch.opened, first.switch.closed) == (opened + 1, closed + 1)


@pytest.mark.parametrize(
    ("code", "wanted", "tries"),
    [
        (Ckr.DATA_LEN_RANGE, HsmRefusedError, 1),
        (Ckr.MECHANISM_INVALID, HsmRefusedError, 1),
        (Ckr.KEY_FUNCTION_NOT_PERMITTED, HsmRefusedError, 1),
        (Ckr.FUNCTION_FAILED, OutcomeUnknownError, 1),
        (Ckr.SESSION_COUNT, HsmUnavailableError, 1),
        (Ckr.PIN_LOCKED, HsmUnavailableError, 1),
        (Ckr.SESSION_HANDLE_INVALID, HsmUnavailableError, 2),
        (Ckr.KEY_HANDLE_INVALID, HsmUnavailableError, 2),
        (Ckr.DEVICE_ERROR, OutcomeUnknownError, 2),
        (Ckr.OPERATION_NOT_INITIALIZED, OutcomeUnknownError, 2),
        (VENDOR, OutcomeUnknownError, 2),
    ],
)
def test_a_failure_that_stays_is_told(
    one: Pool, first: SwitchedToken, mint: Mint, code: int, wanted: type[HsmError], tries: int
) -> None:
    """At most two tries; then the error has its meaning, and the next request gets a session."""
    closed = first.switch.closed
    first.switch.fault = fails(code)
    with pytest.raises(wanted) as raised:
        sign_once(one, mint)
    assert type(raised.value) is wanted
    first.switch.fault = None
    wait_for(lambda: is_up(one))
    assert first.switch.closed == closed + tries
    assert len(sign_once(one, mint)) == 64


def test_an_uncertain_try_stays_uncertain(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """When the first try may have signed and the second did not, it counts as spent."""
    codes = iter([Ckr.DEVICE_ERROR, Ckr.SESSION_HANDLE_INVALID])
    first.switch.fault = lambda _signature: next(codes)
    with pytest.raises(OutcomeUnknownError, match="DEVICE_ERROR"):
        sign_once(one, mint)


def test_nothing_is_spent_before_the_signing_call(
    one: Pool, first: SwitchedToken, mint: Mint
) -> None:
    """A failure of ``C_SignInit`` is certain, whatever its code."""
    first.switch.init_fault = lambda: int(Ckr.DEVICE_ERROR)
    with pytest.raises(HsmUnavailableError):
        sign_once(one, mint)


@pytest.mark.parametrize("hand_over", ["plain"], indirect=True)  # no exception comes from C
def test_a_bug_costs_no_thread(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """After an error that nobody foresaw the outcome is unknown and the session replaced."""

    def bug(_signature: bytes) -> bytes:
        raise MemoryError

    first.switch.fault = bug
    with pytest.raises(OutcomeUnknownError, match="internal"):
        sign_once(one, mint)
    first.switch.fault = None
    assert len(sign_once(one, mint)) == 64


@pytest.mark.parametrize("hand_over", ["plain"], indirect=True)
def test_a_slow_log_keeps_no_caller(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """The caller hears of a bug before it is written down, however long that takes."""
    written = threading.Event()

    def write_slowly(*_: object) -> str:
        time.sleep(0.5)  # longer than a call may take before it counts as stuck
        written.set()
        return "written"

    def bug(_signature: bytes) -> bytes:
        raise MemoryError

    first.switch.fault = bug
    structlog.configure(processors=[write_slowly])
    try:
        with pytest.raises(OutcomeUnknownError, match="internal"):
            sign_once(one, mint)
        assert written.wait(5)
    finally:
        structlog.reset_defaults()


def test_a_bug_while_opening_costs_no_thread(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """An unforeseen error of opening is one failed attempt."""
    first.switch.open_error = ZeroDivisionError()
    first.switch.fault = fails(Ckr.SESSION_CLOSED, 1)
    with pytest.raises(OutcomeUnknownError):
        sign_once(one, mint, 0.2)
    first.switch.open_error = None
    wait_for(lambda: is_up(one))
    assert len(sign_once(one, mint)) == 64


@pytest.mark.parametrize("error", [exceptions.SessionCount(), ConfigError("another key")])
def test_no_session_can_be_opened(
    one: Pool, first: SwitchedToken, mint: Mint, error: Exception
) -> None:
    """While no session opens requests fail at once, and the pool recovers by itself."""
    first.switch.fault, first.switch.open_error = fails(Ckr.FUNCTION_FAILED), error
    with pytest.raises(OutcomeUnknownError):
        sign_once(one, mint)
    wait_for(lambda: not one.is_ready and one.status()[0].state is SlotState.DOWN)
    with pytest.raises(HsmUnavailableError, match="no token is available: 'first'"):
        sign_once(one, mint)
    first.switch.fault = first.switch.open_error = None
    wait_for(lambda: is_up(one))
    assert len(sign_once(one, mint)) == 64


def test_lost_login_is_renewed_once(first: SwitchedToken, mint: Mint) -> None:
    """When the login is gone there is one new login for all sessions, of the next generation."""
    with closing(Pool(first.as_token(), sessions=3, redeem=mint.redeem)) as pool:
        first.switch.logged_in = False
        first.switch.fault = fails(Ckr.USER_NOT_LOGGED_IN, 1)
        assert len(sign_once(pool, mint)) == 64
        wait_for(lambda: is_up(pool))
        pool._slots[0]._renew(1)  # a session that saw the login fail later than the first
        assert pool.status()[0].generation == 2
        assert first.switch.renewed == 1
        opened = first.switch.opened
        wait_for(lambda: first.switch.opened - first.switch.closed == 3)
        assert opened >= 4


def test_a_refused_pin_is_not_tried_again(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """A slot whose PIN is refused stays away for good, and no restart is asked for."""
    first.switch.renew_error = PinRefusedError("the PIN is wrong")
    first.switch.logged_in = False
    first.switch.fault = fails(Ckr.USER_NOT_LOGGED_IN)
    with pytest.raises(HsmUnavailableError):
        sign_once(one, mint)
    wait_for(lambda: one.status()[0].state is SlotState.REFUSED)
    with pytest.raises(HsmUnavailableError, match="the PIN is wrong"):
        sign_once(one, mint)
    assert not one.must_restart


def test_half_of_the_operations_fail(first: SwitchedToken, mint: Mint) -> None:
    """A slot goes down when half of its last operations failed, and comes back by itself."""
    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem)) as pool:
        first.switch.fault = fails(Ckr.GENERAL_ERROR)
        for _ in range(4):
            with pytest.raises(OutcomeUnknownError):
                sign_once(pool, mint)
        wait_for(lambda: pool.status()[0].generation == 2)
        first.switch.fault = None
        wait_for(lambda: is_up(pool))


def test_failing_over(two: Pool, first: SwitchedToken, second: SwitchedToken, mint: Mint) -> None:
    """When a token is removed the other one signs, and it is used again when it is back."""
    first.switch.fault = fails(Ckr.DEVICE_REMOVED)
    first.switch.open_error = exceptions.TokenNotPresent()
    for _ in range(50):
        assert len(sign_once(two, mint)) == 64
    assert two.is_ready
    first.switch.fault = first.switch.open_error = None
    wait_for(lambda: is_up(two))
    before = first.switch.signed
    second.switch.fault = fails(Ckr.DEVICE_REMOVED)
    assert len(sign_once(two, mint)) == 64
    assert first.switch.signed > before


def test_a_second_try_goes_to_the_other_token(
    first: SwitchedToken, second: SwitchedToken, mint: Mint
) -> None:
    """However many sessions a failing token has, no request meets it twice."""
    tokens = first.as_token(), second.as_token()
    with closing(Pool(*tokens, sessions=4, redeem=mint.redeem)) as pool:
        first.switch.fault = fails(Ckr.SESSION_HANDLE_INVALID)
        before = first.switch.signed
        for _ in range(60):
            assert len(sign_once(pool, mint)) == 64
        assert first.switch.signed > before


def test_a_second_try_stays_where_no_other_token_is_free(
    two: Pool, first: SwitchedToken, second: SwitchedToken, mint: Mint
) -> None:
    """When the other token's session is stuck the second try has its own again, a little later."""
    gate = second.switch.fault = Gate()
    first.switch.fault = fails(Ckr.SESSION_HANDLE_INVALID, 1)
    with ThreadPoolExecutor(2) as threads:
        signing = [threads.submit(sign_once, two, mint) for _ in range(2)]
        assert gate.entered.wait(10)
        wait_for(lambda: any(each.done() for each in signing))
        gate.opened.set()
        assert [len(each.result(10)) for each in signing] == [64, 64]


def test_a_token_that_is_away_at_the_start(
    first: SwitchedToken, second: SwitchedToken, mint: Mint
) -> None:
    """The pool starts with the tokens that are there, and takes the others when they come."""
    first.switch.open_error = exceptions.TokenNotPresent()
    tokens = first.as_token(), second.as_token()
    with closing(Pool(*tokens, sessions=1, redeem=mint.redeem)) as pool:
        assert len(sign_once(pool, mint)) == 64
        first.switch.open_error = None
        wait_for(lambda: is_up(pool))


def test_two_slots_change_at_once(
    two: Pool, first: SwitchedToken, second: SwitchedToken, mint: Mint
) -> None:
    """While slots go down and up side by side, none that is up is left without work."""
    for _ in range(30):
        for token in (first, second):
            token.switch.fault = fails(Ckr.DEVICE_REMOVED, 1)
        for _ in range(4):
            with suppress(HsmError):
                sign_once(two, mint)
        first.switch.fault = second.switch.fault = None
        wait_for(lambda: is_up(two))
        assert len(sign_once(two, mint)) == 64


def test_a_slot_goes_down_while_a_session_opens(first: SwitchedToken, mint: Mint) -> None:
    """A session that opened too late is dropped, its thread goes on, and all come back."""
    with closing(Pool(first.as_token(), sessions=2, redeem=mint.redeem)) as pool:
        entered, leave = threading.Event(), threading.Event()

        def hold() -> None:
            first.switch.opening = None
            entered.set()
            assert leave.wait(10)

        first.switch.opening, first.switch.fault = hold, fails(Ckr.SESSION_HANDLE_INVALID, 1)
        assert len(sign_once(pool, mint)) == 64
        assert entered.wait(10)
        first.switch.fault = fails(Ckr.DEVICE_REMOVED, 1)
        with pytest.raises(OutcomeUnknownError):
            sign_once(pool, mint)
        assert pool.status()[0].state is SlotState.DOWN
        leave.set()
        wait_for(lambda: is_up(pool))
        wait_for(lambda: first.switch.opened - first.switch.closed == 2)
        assert len(sign_once(pool, mint)) == 64


def test_no_tokens(mint: Mint) -> None:
    """A pool without any token does not start."""
    with pytest.raises(HsmUnavailableError, match="no token is configured"):
        Pool(sessions=1, redeem=mint.redeem)


def test_a_lost_module_asks_for_a_restart(one: Pool, first: SwitchedToken, mint: Mint) -> None:
    """When the only slot stays down by codes that nobody knows, only a new process may help."""
    first.switch.spare_probes = False
    first.switch.fault = fails(VENDOR)
    with pytest.raises(HsmError):
        sign_once(one, mint)
    wait_for(lambda: one.must_restart)
    first.switch.fault = None
    wait_for(lambda: is_up(one))
    assert not one.must_restart


def test_keepalive(one: Pool, first: SwitchedToken) -> None:
    """A session that is idle is pinged, and replaced when it does not answer."""
    wait_for(lambda: first.switch.pinged >= 1)
    opened = first.switch.opened
    first.switch.ping_code = Ckr.SESSION_HANDLE_INVALID
    wait_for(lambda: first.switch.opened > opened)
    first.switch.ping_code = 0
    wait_for(lambda: is_up(one))


def test_an_idle_session_of_an_old_generation_is_replaced(
    one: Pool, first: SwitchedToken, mint: Mint
) -> None:
    """A session that slept while its generation ended does not take the next request."""
    opened = first.switch.opened
    one._slots[0]._renew(1)
    assert len(sign_once(one, mint)) == 64
    assert (first.switch.opened, first.switch.renewed) == (opened + 1, 1)


class Counting:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.signatures: list[tuple[str, str]] = []
        self.failures: list[tuple[str, str, str]] = []
        self.times: list[tuple[float, float, float]] = []

    def signed(
        self, key: str, slot: str, *, queued: Sequence[float], served: Sequence[float], total: float
    ) -> None:
        """Keep it."""
        self.signatures += [(key, slot)] * len(served)
        self.times += [(*each, total) for each in zip(queued, served, strict=True)]

    def failed(self, slot: str, kind: str, code: str) -> None:
        """Keep it."""
        self.failures.append((slot, kind, code))


def test_everything_is_counted(first: SwitchedToken, mint: Mint) -> None:
    """Each signature is told with its times, and each failed try with its code."""
    seen = Counting()
    with closing(Pool(first.as_token(), sessions=1, redeem=mint.redeem, observer=seen)) as pool:
        first.switch.fault = fails(Ckr.SESSION_CLOSED, 1)
        sign_once(pool, mint)
    assert seen.signatures == [("ecdsa-p256", "first")]
    assert seen.failures == [("first", "replace", "CKR_SESSION_CLOSED")]
    ((queued, served, total),) = seen.times
    assert 0 < served < total
    assert queued + served <= total
