"""Several signatures as one job: each ends alone, whatever becomes of the others."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count

import pytest
from msgspec.structs import replace

from policy.algorithms import Algorithm
from signer.approval import ApprovalInvalidError, Mint
from signer.errors import (
    HsmRefusedError,
    HsmUnavailableError,
    OutcomeUnknownError,
    SignatureInvalidError,
)
from signer.hsm import Pool, Token, keys
from signer.hsm.errors import Ckr
from signer.hsm.handover import new_desk
from signer.hsm.job import JOB_SECONDS, MAX_ITEMS, TURN_SECONDS, Item, Way, jobs
from signer.hsm.limits import Limits
from signer.hsm.line import Priority
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.verify import Verifier
from tests.support.signing import approval
from tests.support.switched import SwitchedToken, wait_for

pytestmark = pytest.mark.usefixtures("hand_over")

P256 = Algorithm.ECDSA_P256


@pytest.fixture
def switched(token: Token) -> SwitchedToken:
    """The shared token behind a switch that is off."""
    return SwitchedToken(token)


@pytest.fixture
def one(switched: SwitchedToken, mint: Mint) -> Iterator[Pool]:
    """A pool with a single session, warm enough to do a dozen signatures as one job."""
    limits = Limits(stuck_seconds=0.3)
    with closing(Pool(switched.as_token(), sessions=1, redeem=mint.redeem, limits=limits)) as pool:
        assert all(isinstance(found, bytes) for found in sign(pool, mint, 3))
        yield pool


def sign(pool: Pool, mint: Mint, number: int, seconds: float = 5) -> list[bytes | Exception]:
    """Approve so many signatures, and make them together."""
    approvals = [mint.issue(approval(P256)) for _ in range(number)]
    return pool.sign_all(approvals, [time.monotonic() + seconds] * number)


def at(places: set[int], fault: Callable[[bytes], bytes | int]) -> Callable[[bytes], bytes | int]:
    """Return a fault of the calls at some places, from 0."""
    number = count()
    return lambda signature: fault(signature) if next(number) in places else signature


def way(priority: Priority, seconds: float) -> Way:
    """Return a way of a known pace."""
    made = Way(KeyVersion("key", 1), SCHEMES[P256], Verifier(lambda *_: True), priority)
    made.pace.note(seconds)
    return made


@pytest.mark.parametrize(
    ("fault", "error", "places"),
    [
        (lambda _: Ckr.SESSION_CLOSED, None, {1, 3}),
        (lambda _: Ckr.DATA_LEN_RANGE, HsmRefusedError, {1}),
        (lambda _: Ckr.DEVICE_MEMORY, OutcomeUnknownError, {0}),
        (lambda _: Ckr.DEVICE_MEMORY, OutcomeUnknownError, {4}),
        (lambda signature: bytes([signature[0] ^ 1]) + signature[1:], SignatureInvalidError, {2}),
    ],
)
def test_one_failure_spares_the_others(
    one: Pool,
    switched: SwitchedToken,
    mint: Mint,
    fault: Callable[[bytes], bytes | int],
    error: type[Exception] | None,
    places: set[int],
) -> None:
    """What fails in the middle of a job is told for that signature alone; the rest is made."""
    switched.switch.fault = at(places, fault)
    found = sign(one, mint, 5)
    failed = [place for place, result in enumerate(found) if isinstance(result, Exception)]
    assert failed == ([] if error is None else sorted(places))
    assert all(error and isinstance(found[place], error) for place in failed)
    assert all(isinstance(result, Exception) or len(result) == 64 for result in found)


def test_a_stuck_call_is_unknown_and_what_comes_after_it_is_not_begun(
    one: Pool, switched: SwitchedToken, mint: Mint
) -> None:
    """Of a job that hangs only the call that hangs may have signed; the rest never will."""
    opened = threading.Event()

    def hang(signature: bytes) -> bytes:
        opened.wait(10)
        return signature

    switched.switch.fault = at({2}, hang)
    before = switched.switch.signed
    found = sign(one, mint, 5)
    opened.set()
    assert [type(result) for result in found] == [
        *[bytes] * 2,
        OutcomeUnknownError,
        *[HsmUnavailableError] * 2,
    ]
    one.close()
    assert switched.switch.signed == before + 3


def test_forged_and_used_approvals_fail_alone(one: Pool, mint: Mint) -> None:
    """An approval that was never issued, or twice in one batch, signs nothing more."""
    good, twice, forged = mint.issue(approval(P256)), mint.issue(approval(P256)), approval(P256)
    found = one.sign_all([good, twice, forged, twice], [time.monotonic() + 5] * 4)
    assert [type(result) for result in found] == [
        bytes,
        bytes,
        ApprovalInvalidError,
        ApprovalInvalidError,
    ]


def test_several_messages_of_one_approval(one: Pool, switched: SwitchedToken, mint: Mint) -> None:
    """All of its messages are signed, or nothing is released; one that exists is a spent one."""
    several = replace(approval(P256), further=(b"second", b"third"))
    assert len(one.sign(mint.issue(several), time.monotonic() + 5)) == 3 * 64
    switched.switch.fault = at({1}, lambda _: Ckr.DATA_LEN_RANGE)
    several = replace(several)
    with pytest.raises(OutcomeUnknownError, match="after another signature"):
        one.sign(mint.issue(several), time.monotonic() + 5)


@pytest.mark.parametrize(
    ("seconds", "sizes"),
    [
        (float("inf"), [1, 1, 1, 1]),
        (JOB_SECONDS, [1, 1, 1, 1]),
        (JOB_SECONDS * 0.4, [3, 1]),
        (JOB_SECONDS / 1000, [4]),
    ],
)
def test_a_job_is_as_long_as_the_token_is_fast(seconds: float, sizes: list[int]) -> None:
    """A slow token's sessions take one signature each, a fast one's as many as are quick."""
    urgent = way(Priority.URGENT, seconds)
    found = list(jobs([Item(urgent, b"", 1.0) for _ in range(4)], 0.0, new_desk(1).job, 1))
    assert [len(job.items) for job in found] == sizes


@pytest.mark.parametrize(
    ("sessions", "seconds", "sizes"),
    [
        (1, TURN_SECONDS * 0.6, [7]),
        (2, TURN_SECONDS * 0.6, [4, 3]),
        (3, TURN_SECONDS * 0.6, [3, 3, 1]),
        (7, TURN_SECONDS * 0.6, [2, 2, 2, 1]),
        (7, TURN_SECONDS / 1000, [7]),
    ],
)
def test_each_session_has_a_share(sessions: int, seconds: float, sizes: list[int]) -> None:
    """No session is idle while another has it all, unless that is done in less than a turn."""
    urgent = way(Priority.URGENT, seconds)
    found = list(jobs([Item(urgent, b"", 1.0) for _ in range(7)], 0.0, new_desk(1).job, sessions))
    assert [len(job.items) for job in found] == sizes


def test_jobs_are_bounded_and_of_one_class() -> None:
    """No job mixes classes, none has more than its bound, and no item is lost."""
    ways = [way(priority, JOB_SECONDS / 1e6) for priority in Priority]
    items = [Item(ways[number % 2], b"", 1.0) for number in range(4 * MAX_ITEMS + 2)]
    found = list(jobs(items, 0.0, new_desk(1).job, 1))
    assert sorted(len(job.items) for job in found) == [1, 1, *[MAX_ITEMS] * 4]
    for job in found:
        assert {item.way.priority for item in job.items} == {job.priority}
    assert {id(item) for job in found for item in job.items} == set(map(id, items))


def test_an_item_whose_time_is_over_is_not_begun(
    one: Pool, switched: SwitchedToken, mint: Mint
) -> None:
    """A session that comes to it late leaves it out, and says that nothing was signed."""
    switched.switch.fault = at({0}, partial(lingering, 0.1))
    approvals = [mint.issue(approval(P256)) for _ in range(4)]
    before, now = switched.switch.signed, time.monotonic()
    found = one.sign_all(approvals, [now + seconds for seconds in (5, 0.05, 5, 0.05)])
    assert [type(result) for result in found] == [bytes, HsmUnavailableError] * 2
    assert all("in time" in str(found[place]) for place in (1, 3))
    assert switched.switch.signed == before + 2


def lingering(seconds: float, signature: bytes) -> bytes:
    """Take a while."""
    time.sleep(seconds)
    return signature


def test_whose_requests_may_wait_for_one_another(token: Token, mint: Mint) -> None:
    """Those of one class, once the token has shown to be quick with their keys; nobody before."""
    limits = Limits(bulk_keys=frozenset({"ed25519"}))
    with closing(Pool(token, sessions=1, redeem=mint.redeem, limits=limits)) as pool:
        classes = {"ecdsa-p256": Priority.URGENT, "ed25519": Priority.BULK}
        assert {pool.company(key) for key in (*classes, "nothing")} == {None}
        for algorithm in (P256, Algorithm.ED25519):
            issued = [mint.issue(approval(algorithm)) for _ in range(50)]
            pool.sign_all(issued, [time.monotonic() + 30] * 50)
        assert {key: pool.company(key) for key in classes} == classes
        assert pool.company("nothing") is None


def test_a_key_is_as_quick_as_its_like(scratch: Token, mint: Mint) -> None:
    """One that has not signed yet shares rounds with those of its kind, and no others do."""
    for name in "ab":
        keys.generate(scratch, KeyVersion(name, 1), P256)
    keys.generate(scratch, KeyVersion("c", 1), Algorithm.ED25519)
    with closing(Pool(scratch, sessions=1, redeem=mint.redeem)) as pool:
        issued = [mint.issue(approval(P256, key="a")) for _ in range(50)]
        pool.sign_all(issued, [time.monotonic() + 30] * 50)
        assert {name: pool.company(name) for name in "abc"} == {
            "a": Priority.URGENT,
            "b": Priority.URGENT,
            "c": None,
        }


def test_batches_leave_the_line_to_others(token: Token, mint: Mint) -> None:
    """As many batches as the line has places are all signed: each waits in it once at most."""
    switched = SwitchedToken(token)
    switched.switch.fault = slowly
    limits = Limits(queue=6)
    pool = Pool(switched.as_token(), sessions=2, redeem=mint.redeem, limits=limits)
    with closing(pool), ThreadPoolExecutor(6) as threads:
        batches = [threads.submit(sign, pool, mint, 12, 60) for _ in range(6)]
        for batch in batches:
            assert all(isinstance(found, bytes) for found in batch.result(60))


def slowly(signature: bytes) -> bytes:
    """Take as long as a job keeps others waiting."""
    time.sleep(TURN_SECONDS)
    return signature


@pytest.mark.parametrize("errand", [False, True])
def test_a_job_gives_way_to_those_that_wait(
    one: Pool, switched: SwitchedToken, mint: Mint, *, errand: bool
) -> None:
    """However long a job turns out to be, whoever waits is served after one turn of it."""
    slot = one.status()[0].label if errand else None
    sign(one, mint, 1)
    waiting = threading.Event()

    def slow(signature: bytes) -> bytes:
        waiting.wait(10)
        return slowly(signature)

    switched.switch.fault = slow
    before = switched.switch.signed
    with ThreadPoolExecutor(2) as threads:
        batch = threads.submit(sign, one, mint, 12)
        wait_for(lambda: switched.switch.signed > before)
        issued = mint.issue(approval(P256))
        single = threads.submit(one.sign, issued, time.monotonic() + 10, slot=slot)
        wait_for(lambda: not mint._outstanding)  # it is left at the desk next
        waiting.set()
        assert len(single.result(10)) == 64
        assert switched.switch.signed <= before + 4
        assert all(isinstance(found, bytes) for found in batch.result(10))
    assert switched.switch.signed == before + 13
