"""The recovery id of a signature is found with its nonce point, and only for the key's own.

However it is looked for: by plain Python, and by the multiples of busy keys, compiled.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count

import coincurve
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.hsm.multiples import of_key
from signer.hsm.recovery import ORDER, RECENT, Digested, Multiples, Recovery, Shelf

KEYS = [coincurve.PrivateKey(bytes([number]) * 32) for number in range(1, 9)]


def _signed(key: coincurve.PrivateKey, number: int) -> tuple[Digested, int]:
    digest = sha256(b"%d" % number).digest()
    signature = key.sign_recoverable(digest, hasher=None)
    return Digested(digest, signature[:64]), signature[64]


Make = Callable[[coincurve.PublicKey], Recovery]


def _point(key: coincurve.PublicKey) -> bytes:
    return key.format(compressed=False)


@pytest.fixture(params=[None, of_key], ids=["plain", "compiled"])
def make(request: pytest.FixtureRequest) -> Make:
    """Return what makes a recovery that goes one of the two ways from the first signature on."""
    return lambda key: Recovery(_point(key), Shelf(request.param, busy=0))


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_ids_are_those_of_the_signer(key: coincurve.PrivateKey, make: Make) -> None:
    """Whether alone or together, each gets the id that libsecp256k1 gave when it signed."""
    claims, ids = zip(*(_signed(key, number) for number in range(16)), strict=True)
    assert set(ids) == {0, 1}
    assert make(key.public_key).ids(claims) == list(ids)
    assert [make(key.public_key).id(claim) for claim in claims] == list(ids)


def test_wrong_ones_among_right_ones(make: Make) -> None:
    """What is no signature of the key's has no id, and spoils no other's."""
    key, other = KEYS[:2]
    (good, number), (foreign, _) = _signed(key, 1), _signed(other, 1)
    r, s = good.signature[:32], good.signature[32:]
    zero, order = bytes(32), ORDER.to_bytes(32)
    bad = [bytes(64), zero + s, r + zero, order + s, r + order, s + r, r + s + b"\0", r, b""]
    wrong = [foreign, Digested(sha256(b"other").digest(), good.signature)]
    wrong += [Digested(good.digest, signature) for signature in bad]
    claims = [item for each in wrong for item in (each, good)]
    assert make(key.public_key).ids(claims) == [None, number] * len(wrong)
    assert make(key.public_key).ids([]) == []


def test_a_high_s_has_the_other_id(make: Make) -> None:
    """The other form of a signature has its nonce point on the other side."""
    good, number = _signed(KEYS[0], 1)
    s = (ORDER - int.from_bytes(good.signature[32:])).to_bytes(32)
    high = good._replace(signature=good.signature[:32] + s)
    assert make(KEYS[0].public_key).ids([high]) == [1 - number]


@pytest.mark.parametrize("number", [2, 3])
def test_an_r_that_was_reduced(number: int, make: Make) -> None:
    """Ids 2 and 3, which no signature by chance has, are found for a key made to fit."""
    for r in count(1):
        claim = Digested(sha256(b"digest").digest(), r.to_bytes(32) + sha256(b"s").digest())
        try:
            key = coincurve.PublicKey.from_signature_and_message(
                claim.signature + bytes([number]), claim.digest, hasher=None
            )
        except ValueError:  # no point has this x
            continue
        assert make(key).ids([claim]) == [number]
        return


@pytest.mark.parametrize("digest", [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1])
def test_a_digest_at_the_bounds(digest: int, make: Make) -> None:
    """One that is no scalar is reduced to one (SEC 1, section 4.1.4)."""
    signed = KEYS[0].sign_recoverable(digest.to_bytes(32), hasher=None)
    claim = Digested(digest.to_bytes(32), signed[:64])
    assert make(KEYS[0].public_key).ids([claim]) == [signed[64]]


def test_no_nonce_point(make: Make) -> None:
    """A digest for which the sum is no point at all is no reason to fail."""
    key, r = KEYS[0], 5
    digest = (-r * int.from_bytes(key.secret) % ORDER).to_bytes(32)
    claim = Digested(digest, r.to_bytes(32) + r.to_bytes(32))
    assert make(key.public_key).ids([claim]) == [None]


def test_an_id_can_be_asked_for_again(make: Make) -> None:
    """Whether it was found a moment ago, was asked for before, or is long forgotten."""
    recovery = make(KEYS[0].public_key)
    signed = [_signed(KEYS[0], number) for number in range(RECENT + 2)]
    for claim, _ in signed:
        recovery.ids([claim])
    for claim, number in (signed[0], signed[-1], signed[-1]):
        assert recovery.id(claim) == number


def test_multiples_find_what_is_right_by_themselves() -> None:
    """Nothing usual is left to the slower way."""
    claims, ids = zip(*(_signed(KEYS[0], number) for number in range(64)), strict=True)
    assert of_key(_point(KEYS[0].public_key)).ids(claims) == list(ids)


# Digits of ten and of twelve bits: none, the largest of either sign, and what carries on.
_EDGES = [1, ORDER - 1, *(2**bits + more for bits in range(1, 256) for more in (-1, 0, 1))]
_EDGES += [sum(digit << at for at in range(0, 250, 10)) for digit in (511, 512, 513, 1023)]
_EDGES += [sum(digit << at for at in range(0, 252, 12)) for digit in (2047, 2048, 2049, 4095)]


@pytest.mark.parametrize("other", [1, ORDER - 1, ORDER // 3])
def test_scalars_of_all_digits(other: int) -> None:
    """Whatever G and the key are multiplied with, the multiples find the sum."""
    key = KEYS[0].public_key
    multiples = of_key(_point(key))
    for edge in _EDGES:
        for of_g, of_q in ((edge, other), (other, edge)):
            part = coincurve.PublicKey.from_secret(of_g.to_bytes(32))
            point = coincurve.PublicKey.combine_keys([part, key.multiply(of_q.to_bytes(32))])
            r = int.from_bytes(point.format()[1:])
            s = r * pow(of_q, -1, ORDER) % ORDER
            claim = Digested((of_g * s % ORDER).to_bytes(32), r.to_bytes(32) + s.to_bytes(32))
            assert multiples.ids([claim]) == [point.format()[0] & 1], (of_g, of_q)


_SCALARS = st.one_of(
    st.binary(min_size=32, max_size=32), st.integers(0, 3).map(lambda n: bytes([0] * 31 + [n]))
)
_MULTIPLES = of_key(_point(KEYS[0].public_key))
_PLAIN = Recovery(_point(KEYS[0].public_key), Shelf(None))


@given(st.lists(st.builds(Digested, _SCALARS, st.builds(bytes.__add__, _SCALARS, _SCALARS))))
def test_multiples_find_nothing_else(claims: list[Digested]) -> None:
    """Whatever is claimed, they agree with the plain way or leave it to that."""
    found = _MULTIPLES.ids(claims)
    plain = _PLAIN.ids(claims)
    assert all(number in {None, other} for number, other in zip(found, plain, strict=True))


def test_what_is_no_point_has_no_multiples() -> None:
    """That is said at once."""
    with pytest.raises(ValueError, match="not a point"):
        of_key(bytes(65))


def test_a_busy_key_has_its_multiples_made_once() -> None:
    """However many threads verify its signatures at that moment."""
    made: list[bytes] = []

    def make(point: bytes) -> Multiples:
        made.append(point)
        return of_key(point)

    key = KEYS[0]
    recovery = Recovery(_point(key.public_key), Shelf(make, busy=10))
    claims, ids = zip(*(_signed(key, number) for number in range(9)), strict=True)
    assert recovery.ids(claims) == list(ids)
    assert not made
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(recovery.ids, [claims] * 16))
    assert found == [list(ids)] * 16
    assert made == [_point(key.public_key)]


def test_only_so_many_keys_have_them() -> None:
    """What they take of the memory is bounded; other keys go the plain way."""
    made: list[bytes] = []

    def make(point: bytes) -> Multiples:
        made.append(point)
        return of_key(point)

    shelf = Shelf(make, room=2, busy=0)
    for key in KEYS[:4]:
        claim, number = _signed(key, 1)
        assert Recovery(_point(key.public_key), shelf).ids([claim]) == [number]
    assert made == [_point(key.public_key) for key in KEYS[:2]]
