"""Sessions, handles, logins and tokens that go away, come back, and are not the same."""

import pytest

from signer.hsm.errors import Ckr
from tests.faulty.client import DIGEST, Client
from tests.faulty.signers import KEY, OTHER_KEY, Signer
from tests.support.faulty import Faulty


def test_slots(client: Client) -> None:
    """Two slots show one token with serial numbers of their own."""
    assert client.slots() == [0, 1]
    (_, first), (_, second) = client.token_info(0), client.token_info(1)
    assert (first[:32], second[:32]) == (b"faulty-test".ljust(32),) * 2
    assert (first[80:96], second[80:96]) == (b"faulty-0".ljust(16), b"faulty-1".ljust(16))
    assert client.token_info(2)[0] == 0x003  # CKR_SLOT_ID_INVALID


def test_slots_apart(client: Client, faulty: Faulty) -> None:
    """A fault of one slot leaves the other alone, and the keys are the same."""
    first, second = Signer.on(client, 0), Signer.on(client, 1)
    faulty.fault("C_Sign", Ckr.DEVICE_ERROR, slot=0)
    assert (first.sign(), second.sign()) == (Ckr.DEVICE_ERROR, Ckr.OK)
    faulty.remove(slot=0)
    assert first.sign() == Ckr.DEVICE_REMOVED
    code, signature = second.signature()
    assert (code, second.verifies(signature)) == (Ckr.OK, True)
    assert client.slots() == [1]


def test_login_per_slot(client: Client) -> None:
    """Each slot has a login of its own: private keys show after it."""
    Signer.on(client, 0)
    _, session = client.open(1)
    assert client.state(session) == (Ckr.OK, 0)
    assert client.find(session, KEY) == (Ckr.OK, 0)
    assert client.login(session, "wrong") == Ckr.PIN_INCORRECT
    assert client.login(session) == Ckr.OK
    assert client.find(session, KEY)[1] != 0


def test_last_session_ends_login(client: Client) -> None:
    """Whoever closes the last session is logged out, and its handles stay invalid."""
    old = Signer.on(client)
    assert client.call("C_CloseSession", old.session) == Ckr.OK
    _, session = client.open()
    assert client.sign_init(session, old.key) == Ckr.USER_NOT_LOGGED_IN
    assert client.login(session) == Ckr.OK
    assert client.sign_init(session, old.key) == Ckr.OBJECT_HANDLE_INVALID


def test_close_all(client: Client, faulty: Faulty) -> None:
    """C_CloseAllSessions closes those of its slot only."""
    here, there = Signer.on(client, 0), Signer.on(client, 1)
    assert client.call("C_CloseAllSessions", 0) == Ckr.OK
    assert (here.state(), there.sign()) == (Ckr.SESSION_HANDLE_INVALID, Ckr.OK)
    assert faulty.counters().open_sessions == 1


def test_invalid_sessions(client: Client, faulty: Faulty) -> None:
    """All sessions go at once, with the login; new ones work and have new handles."""
    old = [Signer.on(client) for _ in range(3)]
    faulty.invalidate_sessions()
    assert {signer.sign() for signer in old} == {Ckr.SESSION_HANDLE_INVALID}
    assert faulty.counters().open_sessions == 0
    new = Signer.on(client)
    assert new.sign() == Ckr.OK
    assert new.session not in [signer.session for signer in old]
    assert {signer.sign() for signer in old} == {Ckr.SESSION_HANDLE_INVALID}


def test_invalid_sessions_are_closed(client: Client, faulty: Faulty) -> None:
    """What was invalidated takes no room: three times half of what the module can hold works."""
    for _ in range(3):
        assert {client.open()[0] for _ in range(2048)} == {Ckr.OK}
        faulty.invalidate_sessions()


def test_lost_login(signer: Signer, faulty: Faulty) -> None:
    """A lost login shows in every use of a key; after the next, handles must be found again."""
    faulty.log_out()
    assert signer.sign() == Ckr.USER_NOT_LOGGED_IN
    assert signer.client.state(signer.session) == (Ckr.OK, 0)
    assert signer.client.login(signer.session) == Ckr.OK
    assert signer.sign() == Ckr.OBJECT_HANDLE_INVALID
    assert Signer.on(signer.client).sign() == Ckr.OK


def test_lost_login_during_operation(signer: Signer, faulty: Faulty) -> None:
    """A login that is lost between C_SignInit and C_Sign is noticed."""
    assert signer.client.sign_init(signer.session, signer.key) == Ckr.OK
    faulty.log_out()
    assert signer.client.finish_sign(signer.session)[0] == Ckr.USER_NOT_LOGGED_IN


def test_invalid_objects(signer: Signer, faulty: Faulty) -> None:
    """Object handles go, sessions and the login stay."""
    faulty.invalidate_objects()
    assert signer.sign() == Ckr.OBJECT_HANDLE_INVALID
    assert signer.state() == Ckr.OK
    assert Signer.on(signer.client).sign() == Ckr.OK


def test_swapped_keys(signer: Signer, faulty: Faulty) -> None:
    """A handle from before signs with another key; one that is found anew is right."""
    faulty.swap_keys()
    code, signature = signer.signature()
    assert (code, signer.verifies(signature)) == (Ckr.OK, False)
    assert signer.verifies(signature, OTHER_KEY)
    again = Signer.on(signer.client)
    _, signature = again.signature()
    assert again.verifies(signature)


@pytest.mark.parametrize("code", [Ckr.DEVICE_REMOVED, Ckr.TOKEN_NOT_PRESENT, 0x80000001])
def test_removed(signer: Signer, faulty: Faulty, code: int) -> None:
    """While the token is away its sessions answer the code, and no slot has a token."""
    faulty.remove(code)
    assert (signer.sign(), signer.state()) == (code, code)
    assert signer.client.open()[0] == Ckr.TOKEN_NOT_PRESENT
    assert signer.client.slots() == []


def test_restored(signer: Signer, faulty: Faulty) -> None:
    """The token comes back without sessions, login or handles, and works."""
    faulty.remove()
    faulty.restore()
    assert signer.sign() == Ckr.SESSION_HANDLE_INVALID
    _, session = signer.client.open()
    assert signer.client.sign_init(session, signer.key) == Ckr.USER_NOT_LOGGED_IN
    assert Signer.on(signer.client).sign() == Ckr.OK


def test_reinitialisation(signer: Signer, faulty: Faulty) -> None:
    """A token that wants it serves nobody before C_Finalize and C_Initialize."""
    faulty.remove()
    faulty.restore(reinitialize=True)
    uninitialized = Ckr.CRYPTOKI_NOT_INITIALIZED
    client = signer.client
    assert (signer.sign(), client.open()[0], client.slots()) == (uninitialized, uninitialized, [])
    assert client.initialize() == Ckr.CRYPTOKI_ALREADY_INITIALIZED
    assert (client.finalize(), client.initialize()) == (Ckr.OK, Ckr.OK)
    assert Signer.on(client).sign() == Ckr.OK


def test_session_limit(client: Client, faulty: Faulty) -> None:
    """One session more than the limit is refused, until one is closed; the token says so."""
    faulty.limit(sessions=2)
    answers = [client.open() for _ in range(3)]
    assert [code for code, _ in answers] == [Ckr.OK, Ckr.OK, Ckr.SESSION_COUNT]
    assert client.call("C_CloseSession", answers[0][1]) == Ckr.OK
    assert client.open()[0] == Ckr.OK
    assert faulty.counters().faults["C_OpenSession"] == 1
    assert client.token_info(0)[1][104:120] == (2).to_bytes(8, "little") * 2


def test_pace(client: Client, faulty: Faulty) -> None:
    """Of a burst of opens, those over a second's worth are dropped."""
    faulty.limit(opens_per_second=4)
    codes = [client.open()[0] for _ in range(6)]
    assert codes == [Ckr.OK] * 4 + [Ckr.FUNCTION_FAILED] * 2


def test_cached(signer: Signer, faulty: Faulty) -> None:
    """The same key and data give the same signature, which verifies."""
    faulty.cache()
    answers = [signer.signature() for _ in range(3)]
    assert len(set(answers)) == 1
    assert signer.verifies(answers[0][1])


def test_cached_apart(signer: Signer, faulty: Faulty) -> None:
    """Other data or another key gives another signature, also where their hashes collide."""
    faulty.cache()
    client, session = signer.client, signer.session
    messages = [number.to_bytes(32) for number in range(500)]
    answers = {client.sign(session, signer.key, message) for message in messages}
    _, other_key = client.find(session, OTHER_KEY)
    answers.add(client.sign(session, other_key, messages[0]))
    assert len(answers) == 501
    assert {code for code, _ in answers} == {Ckr.OK}


def test_cached_operation(signer: Signer, faulty: Faulty) -> None:
    """With the cache, an operation has the states that it has without."""
    faulty.cache()
    client, session = signer.client, signer.session
    assert client.sign(session, signer.key, DIGEST)[0] == Ckr.OK
    assert client.finish_sign(session)[0] == Ckr.OPERATION_NOT_INITIALIZED
    assert client.sign_init(session, signer.key) == Ckr.OK
    assert client.sign_init(session, signer.key) == Ckr.OPERATION_ACTIVE
    assert client.signature_size(session) == (Ckr.OK, 64)
    assert client.finish_sign(session)[0] == Ckr.OK
    faulty.fault("C_Sign", Ckr.DEVICE_ERROR, dirty=True, times=1)
    assert (signer.sign(), signer.sign()) == (Ckr.DEVICE_ERROR, Ckr.OPERATION_ACTIVE)
