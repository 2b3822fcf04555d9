"""Return codes, hangs and damage: on the calls that were chosen, and no others."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from signer.hsm.errors import Ckr
from tests.faulty.client import Client
from tests.faulty.layout import FUNCTIONS
from tests.faulty.signers import KEY, OTHER_KEY, Signer
from tests.support.faulty import Faulty

VENDOR_CODE = 0xFFFFFFFF80000123
SIZE = 64


@pytest.fixture
def threads(faulty: Faulty) -> Iterator[ThreadPoolExecutor]:
    """Threads of this process, each with one of the client's; what hangs ends with the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool
        faulty.release()


def test_nothing_on(signer: Signer) -> None:
    """Without faults the module does what the inner one does."""
    code, signature = signer.signature()
    assert (code, len(signature)) == (Ckr.OK, SIZE)
    assert signer.verifies(signature)


def test_every(signer: Signer, faulty: Faulty) -> None:
    """Every third call of the function answers the code, the others work."""
    faulty.fault("C_Sign", Ckr.DEVICE_ERROR, every=3)
    answers = [signer.sign() for _ in range(6)]
    assert answers == [Ckr.OK, Ckr.OK, Ckr.DEVICE_ERROR] * 2
    assert faulty.counters().faults["C_Sign"] == 2


def test_times(signer: Signer, faulty: Faulty) -> None:
    """A bounded fault stops by itself."""
    faulty.fault("C_SignInit", Ckr.DEVICE_MEMORY, times=2)
    assert [signer.sign() for _ in range(3)] == [Ckr.DEVICE_MEMORY, Ckr.DEVICE_MEMORY, Ckr.OK]


def test_probability(signer: Signer, faulty: Faulty) -> None:
    """A fault by chance comes about as often as it was told."""
    faulty.reset()
    faulty.fault("C_SignInit", Ckr.DEVICE_ERROR, probability=0.25)
    failed = [signer.sign() for _ in range(400)].count(Ckr.DEVICE_ERROR)
    assert 60 < failed < 140


def test_vendor_code(signer: Signer, faulty: Faulty) -> None:
    """Any 64-bit return code arrives whole."""
    faulty.fault("C_Sign", VENDOR_CODE)
    assert signer.sign() == VENDOR_CODE


@pytest.mark.parametrize("function", ["C_SignInit", "C_Sign"])
def test_clean(signer: Signer, faulty: Faulty, function: str) -> None:
    """After a clean fault no operation is left open."""
    faulty.fault(function, Ckr.DEVICE_ERROR, times=1)
    assert [signer.sign(), signer.sign()] == [Ckr.DEVICE_ERROR, Ckr.OK]


@pytest.mark.parametrize("function", ["C_SignInit", "C_Sign"])
def test_dirty(signer: Signer, faulty: Faulty, function: str) -> None:
    """After a dirty fault the session answers OPERATION_ACTIVE from then on."""
    faulty.fault(function, Ckr.DEVICE_ERROR, dirty=True, times=1)
    answers = [signer.sign() for _ in range(3)]
    assert answers == [Ckr.DEVICE_ERROR, Ckr.OPERATION_ACTIVE, Ckr.OPERATION_ACTIVE]


def test_clean_without_room(signer: Signer, faulty: Faulty) -> None:
    """A clean fault ends the operation even where the caller's buffer is too small for it."""
    faulty.fault("C_Sign", Ckr.DEVICE_ERROR, times=1)
    assert signer.client.sign_init(signer.session, signer.key) == Ckr.OK
    assert signer.client.finish_sign(signer.session, room=1)[0] == Ckr.DEVICE_ERROR
    assert signer.sign() == Ckr.OK


def test_size_query(signer: Signer, faulty: Faulty) -> None:
    """A size query is no call that a fault can hit; it goes on to the real one."""
    faulty.fault("C_Sign", Ckr.DEVICE_ERROR, every=2)
    assert signer.client.sign_init(signer.session, signer.key) == Ckr.OK
    assert signer.client.signature_size(signer.session) == (Ckr.OK, SIZE)
    assert signer.client.finish_sign(signer.session)[0] == Ckr.OK
    assert signer.sign() == Ckr.DEVICE_ERROR


@pytest.mark.parametrize("function", ["C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal"])
def test_finding(signer: Signer, faulty: Faulty, function: str) -> None:
    """Faults of other functions are the same: finding a key fails at any of its steps."""
    faulty.fault(function, Ckr.GENERAL_ERROR)
    assert signer.client.find(signer.session, KEY)[0] == Ckr.GENERAL_ERROR


@pytest.mark.parametrize("dirty", [False, True])
def test_leaked_session(client: Client, faulty: Faulty, *, dirty: bool) -> None:
    """A dirty C_OpenSession leaves a session behind, a clean one does not."""
    faulty.fault("C_OpenSession", Ckr.FUNCTION_FAILED, dirty=dirty, times=1)
    assert client.open()[0] == Ckr.FUNCTION_FAILED
    assert faulty.counters().open_sessions == int(dirty)


def test_login_and_info(client: Client, faulty: Faulty) -> None:
    """C_Login and C_GetSessionInfo fail as told, and logins are counted."""
    _, session = client.open()
    faulty.reset()
    faulty.fault("C_Login", Ckr.PIN_LOCKED, times=1)
    faulty.fault("C_GetSessionInfo", Ckr.DEVICE_ERROR, times=1)
    assert (client.login(session), client.login(session)) == (Ckr.PIN_LOCKED, Ckr.OK)
    assert client.state(session)[0] == Ckr.DEVICE_ERROR
    assert client.state(session) == (Ckr.OK, 1)
    assert faulty.counters().calls["C_Login"] == 2


def test_any_function(signer: Signer, faulty: Faulty) -> None:
    """A fault of any function hits every one, and ends when it is cleared."""
    faulty.fault("*", Ckr.GENERAL_ERROR)
    assert (signer.sign(), signer.client.open()[0]) == (Ckr.GENERAL_ERROR, Ckr.GENERAL_ERROR)
    faulty.clear()
    assert signer.sign() == Ckr.OK


def test_hang_until_released(signer: Signer, faulty: Faulty, threads: ThreadPoolExecutor) -> None:
    """A call hangs until it is released, and then does what it would have done."""
    faulty.hang("C_Sign")
    waiting = threads.submit(signer.sign)
    with pytest.raises(TimeoutError):
        waiting.result(0.1)
    faulty.release()
    assert waiting.result(5) == Ckr.OK


def test_hang_for_a_time(signer: Signer, faulty: Faulty) -> None:
    """A call that hangs for a time answers afterwards what it was told."""
    faulty.hang("C_SignInit", ms=100, then=Ckr.FUNCTION_FAILED)
    begin = time.monotonic()
    assert signer.sign() == Ckr.FUNCTION_FAILED
    assert 0.1 <= time.monotonic() - begin < 1


def test_removed_while_hanging(signer: Signer, faulty: Faulty, threads: ThreadPoolExecutor) -> None:
    """A call that hangs when the token goes finds it gone."""
    faulty.hang("C_Sign")
    waiting = threads.submit(signer.sign)
    _until_under_way(faulty, waiting, C_Sign=1)
    faulty.remove()
    faulty.release()
    assert waiting.result(5) == Ckr.DEVICE_REMOVED


def test_flipped_bit(signer: Signer, faulty: Faulty) -> None:
    """Every second signature is of the right length and does not verify."""
    faulty.spoil(every=2)
    answers = [signer.signature() for _ in range(4)]
    assert {(code, len(signature)) for code, signature in answers} == {(Ckr.OK, SIZE)}
    verified = [signer.verifies(signature) for _, signature in answers]
    assert verified == [True, False, True, False]


def test_truncated(signer: Signer, faulty: Faulty) -> None:
    """A truncated signature lacks its last byte."""
    faulty.spoil("truncate")
    code, signature = signer.signature()
    assert (code, len(signature)) == (Ckr.OK, SIZE - 1)


def test_shared_session(signer: Signer, faulty: Faulty, threads: ThreadPoolExecutor) -> None:
    """A session that two threads use at once is noticed, two sessions are not."""
    other = Signer.on(signer.client)
    faulty.reset()
    faulty.hang("C_SignInit")
    calls = [threads.submit(by.sign) for by in (signer, other)]
    _until_under_way(faulty, calls[0], C_SignInit=2)
    assert faulty.counters().shared_sessions == 0
    assert signer.state() == Ckr.OK
    assert faulty.counters().shared_sessions == 1
    assert faulty.counters().most_under_way == 3
    faulty.release()
    assert [call.result(5) for call in calls] == [Ckr.OK, Ckr.OK]


def test_counters(signer: Signer, faulty: Faulty) -> None:
    """Calls are counted by function, and so are handles that are not valid."""
    faulty.reset()
    assert [signer.sign(), signer.sign()] == [Ckr.OK, Ckr.OK]
    assert signer.client.state(12345)[0] == Ckr.SESSION_HANDLE_INVALID
    assert signer.client.sign(signer.session, 12345)[0] == Ckr.OBJECT_HANDLE_INVALID
    counters = faulty.counters()
    assert {name: number for name, number in counters.calls.items() if number} == {
        "C_SignInit": 3,
        "C_Sign": 2,
        "C_GetSessionInfo": 1,
    }
    assert (counters.invalid_handles, counters.open_sessions) == (2, 1)


def test_functions() -> None:
    """The table has the 68 functions of PKCS#11 v2.40 in their order."""
    places = [FUNCTIONS.index(name) for name in ("C_Initialize", "C_Login", "C_WaitForSlotEvent")]
    assert (len(FUNCTIONS), places) == (68, [0, 18, 67])


def test_other_key_differs(signer: Signer) -> None:
    """The check of these tests can fail: a signature does not verify with another key."""
    _, signature = signer.signature()
    assert not signer.verifies(signature, OTHER_KEY)


def _until_under_way(faulty: Faulty, waiting: Future[int], **calls: int) -> None:
    while any(faulty.counters().calls[name] < number for name, number in calls.items()):
        assert not waiting.done()
        time.sleep(0.001)
