"""The keys are looked for once a generation, and handles are not trusted beyond their time."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.errors import SignatureInvalidError
from signer.hsm import Pool, Token, keys
from signer.hsm.binder import Binder
from signer.hsm.errors import Ckr
from signer.hsm.names import KeyVersion
from tests.support.faulty import Faulty
from tests.support.pools import Hsm, PoolProcess, pool_process
from tests.support.signing import approval
from tests.support.softhsm import make_softhsm
from tests.support.switched import SwitchedToken, fails

SESSIONS = 6
KEYS = [algorithm.value for algorithm in Algorithm]
SEARCHES = 5  # for what signs, and for the other halves of four kinds of keys
READS = 2 * len(KEYS)  # of what signs, and of the other half
PROBES = len(KEYS) + 2  # an RSA key has two algorithms
SAMPLE = PROBES - 2  # the RSA keys are of one kind

Counted = tuple[Faulty, PoolProcess]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """A pool of one slot, the calls of whose start were counted."""
    directory = tmp_path_factory.mktemp("binder")
    store = make_softhsm(directory / "store", "binder")
    with Faulty(directory, token=store.token) as faulty:
        hsm = Hsm(
            ((faulty.module, store.token, None),),
            store.pin_file,
            faulty.variables | store.environment,
        )
        with pool_process(hsm, KEYS, sessions=1):
            pass
        faulty.reset()
        with pool_process(hsm, sessions=SESSIONS) as pool:
            yield faulty, pool
            faulty.reset()


def _looks(faulty: Faulty) -> tuple[int, int]:
    calls = faulty.counters().calls
    return calls.get("C_FindObjectsInit", 0), calls.get("C_GetAttributeValue", 0)


def _fail_once(counted: Counted, code: int) -> None:
    faulty, pool = counted
    faulty.fault("C_Sign", code, times=1)
    pool.load(0.3)
    pool.heal(10)


def test_one_look_at_the_start(counted: Counted) -> None:
    """Each object is read once, and each key proved once, however many sessions there are."""
    faulty, _ = counted
    assert _looks(faulty) == (SEARCHES, READS)
    assert faulty.counters().calls["C_SignInit"] == PROBES + (SESSIONS - 1) * SAMPLE


@pytest.mark.parametrize(
    ("code", "looks"),
    [
        (Ckr.SESSION_HANDLE_INVALID, 0),
        (Ckr.DATA_INVALID, 0),
        (Ckr.KEY_HANDLE_INVALID, 1),
        (Ckr.GENERAL_ERROR, 1),
        (Ckr.DEVICE_REMOVED, 1),
        (0x80000123, 1),
    ],
)
def test_looks_after_a_failure(counted: Counted, code: int, looks: int) -> None:
    """One look is enough for all sessions, and none is needed where handles are not in doubt."""
    faulty, _ = counted
    _fail_once(counted, Ckr.DEVICE_REMOVED)  # so that all have the same handles again
    before = _looks(faulty)
    _fail_once(counted, code)
    after = _looks(faulty)
    assert (after[0] - before[0], after[1] - before[1]) == (looks * SEARCHES, looks * READS)


@pytest.mark.parametrize("event", ["swap_keys", "invalidate_objects"])
def test_handles_that_nobody_called_lost(counted: Counted, event: str) -> None:
    """A session takes no handles over that are other objects' by now, or nobody's."""
    faulty, pool = counted
    pool.heal(10)
    before = _looks(faulty)
    getattr(faulty, event)()
    faulty.fault("C_SignInit", Ckr.SESSION_HANDLE_INVALID, times=SESSIONS)
    results = pool.ask("sign")
    faulty.clear()
    pool.heal(10)
    assert _looks(faulty) > before
    assert set(pool.ask("sign").values()) == {"signed"}, results


def _two(token: Token, algorithm: Algorithm) -> tuple[KeyVersion, KeyVersion]:
    names = KeyVersion("a", 1), KeyVersion("b", 1)
    for name in names:
        keys.generate(token, name, algorithm)
    return names


def test_every_secret_shows_itself_to_every_session(scratch: Token) -> None:
    """No session takes the handle over of a secret that is not the one of its known answer."""
    first, second = _two(scratch, Algorithm.HMAC_SHA256)
    binder = Binder(scratch)
    binder.expect(binder.read(1))
    with closing(binder.open(1, lambda: None)) as session:
        right = dict(session.found.keys)
        session.found.keys = right | {second: right[first]}
        with closing(binder.open(1, lambda: None)) as another:
            assert another.found.keys == right


def test_a_wrong_handle_costs_one_signature(scratch: Token, mint: Mint) -> None:
    """When a key's signature does not verify the keys are looked for again."""
    names = _two(scratch, Algorithm.ECDSA_P256)
    switched = SwitchedToken(scratch)
    with closing(Pool(switched.as_token(), sessions=1, redeem=mint.redeem)) as pool:

        def sign(name: KeyVersion) -> bytes:
            issued = mint.issue(approval(Algorithm.ECDSA_P256, key=name.key))
            return pool.sign(issued, time.monotonic() + 5)

        known = pool._slots[0]._binder._known
        assert known
        sampled, other = sorted(names, key=lambda name: list(known.keys).index(name))
        known.keys = {**known.keys, other: known.keys[sampled]}
        switched.switch.fault = fails(Ckr.SESSION_HANDLE_INVALID, 1)
        sign(sampled)  # by the next session, which takes the handles over
        with pytest.raises(SignatureInvalidError):
            sign(other)
        assert len(sign(other)) == 64
