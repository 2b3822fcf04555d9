"""A P-256 signature is right or wrong whoever looks at it: OpenSSL, and kept multiples, compiled.

The points that no signature by chance has are made with another implementation of the curve.
"""

from collections.abc import Callable
from hashlib import sha256
from itertools import count

import ecdsa
import pytest
from ecdsa.ellipticcurve import Point, PointJacobi
from hypothesis import given
from hypothesis import strategies as st

from signer.hsm.multiples_p256 import of_key
from signer.hsm.p256 import P256
from signer.hsm.shelf import Digested, Shelf

CURVE = ecdsa.NIST256p
G: PointJacobi = CURVE.generator
ORDER: int = CURVE.order
PRIME: int = CURVE.curve.p()
SECRETS = [int.from_bytes(sha256(b"%d" % number).digest()) for number in range(1, 9)]


def _encoded(point: PointJacobi) -> bytes:
    return bytes(point.to_bytes("uncompressed"))


def _signed(secret: int, number: int) -> Digested:
    digest = sha256(b"%d" % number).digest()
    key = ecdsa.SigningKey.from_secret_exponent(secret, CURVE)
    return Digested(digest, key.sign_digest_deterministic(digest, hashfunc=sha256))


def _claim(of_g: int, of_q: int, x: int) -> Digested:
    """Return what is right if so many times G and the key together have that x."""
    r = x % ORDER
    s = r * pow(of_q, -1, ORDER) % ORDER
    return Digested((of_g * s % ORDER).to_bytes(32), r.to_bytes(32) + s.to_bytes(32))


Make = Callable[[PointJacobi], P256]


@pytest.fixture(params=[None, of_key], ids=["OpenSSL", "compiled"])
def make(request: pytest.FixtureRequest) -> Make:
    """Return what makes a verifier that goes one of the two ways from the first signature on."""
    return lambda point: P256(_encoded(point), Shelf(request.param, busy=0))


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
def test_what_another_implementation_signed_is_right(secret: int, make: Make) -> None:
    """Whether alone or together, with either s."""
    low = [_signed(secret, number) for number in range(16)]
    high = [
        claim._replace(
            signature=claim.signature[:32]
            + (ORDER - int.from_bytes(claim.signature[32:])).to_bytes(32)
        )
        for claim in low
    ]
    key = make(secret * G)
    assert key.right(low + high) == [True] * 32
    assert [key.right([claim]) for claim in low] == [[True]] * 16


def test_wrong_ones_among_right_ones(make: Make) -> None:
    """What is no signature of the key's spoils no other's."""
    good, foreign = _signed(SECRETS[0], 1), _signed(SECRETS[1], 1)
    r, s = good.signature[:32], good.signature[32:]
    zero, order = bytes(32), ORDER.to_bytes(32)
    bad = [bytes(64), zero + s, r + zero, order + s, r + order, s + r, r + s + b"\0", r, b""]
    bad += [r + b"\xff" * 32, b"\xff" * 32 + s]
    wrong = [foreign, Digested(sha256(b"other").digest(), good.signature)]
    wrong += [Digested(good.digest, signature) for signature in bad]
    claims = [item for each in wrong for item in (each, good)]
    key = make(SECRETS[0] * G)
    assert key.right(claims) == [False, True] * len(wrong)
    assert key.right([]) == []


@pytest.mark.parametrize("digest", [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1])
def test_a_digest_at_the_bounds(digest: int, make: Make) -> None:
    """One that is no scalar is reduced to one (SEC 1, section 4.1.4)."""
    claim = _signed(SECRETS[0], 1)
    r, s = int.from_bytes(claim.signature[:32]), int.from_bytes(claim.signature[32:])
    nonce = pow(s, -1, ORDER) * (int.from_bytes(claim.digest) + r * SECRETS[0]) % ORDER
    s = pow(nonce, -1, ORDER) * (digest + r * SECRETS[0]) % ORDER
    again = Digested(digest.to_bytes(32), claim.signature[:32] + s.to_bytes(32))
    assert make(SECRETS[0] * G).right([again]) == [True]


def test_an_r_that_was_reduced(make: Make) -> None:
    """A nonce point whose x is above the order counts, though no signature by chance has it."""
    for x in count(ORDER):
        try:
            nonce = PointJacobi.from_bytes(CURVE.curve, b"\2" + x.to_bytes(32), order=ORDER)
        except ecdsa.errors.MalformedPointError:  # no point has this x
            continue
        if x % ORDER == 0:
            continue
        of_g, of_q = 5, 7
        key = make(pow(of_q, -1, ORDER) * (nonce + (ORDER - of_g) * G))
        good = _claim(of_g, of_q, x)
        assert key.right([good]) == [True]
        assert key.right([good._replace(signature=x.to_bytes(32) + good.signature[32:])]) == [False]
        return


def test_an_s_that_was_not_reduced(make: Make) -> None:
    """The same scalar plus the order is none (SEC 1, section 4.1.4, step 1)."""
    secret, nonce, s = SECRETS[0], 5, 3
    r = (nonce * G).to_affine().x() % ORDER
    digest = ((nonce * s - r * secret) % ORDER).to_bytes(32)
    claims = [Digested(digest, r.to_bytes(32) + more.to_bytes(32)) for more in (s, s + ORDER)]
    assert make(secret * G).right(claims) == [True, False]


def test_no_nonce_point(make: Make) -> None:
    """A digest for which the sum is no point at all is no reason to fail."""
    r = 5
    digest = (-r * SECRETS[0] % ORDER).to_bytes(32)
    claim = Digested(digest, r.to_bytes(32) + r.to_bytes(32))
    assert make(SECRETS[0] * G).right([claim]) == [False]


def test_multiples_find_what_is_right_by_themselves() -> None:
    """Nothing usual is left to the slower way."""
    claims = [_signed(SECRETS[0], number) for number in range(64)]
    assert of_key(_encoded(SECRETS[0] * G)).right(claims) == [True] * 64


# Digits of eight bits: none, the largest of either sign, and what carries on.
_EDGES = [1, ORDER - 1, *(2**bits + more for bits in range(1, 256) for more in (-1, 0, 1))]
_EDGES += [sum(digit << at for at in range(0, 248, 8)) for digit in (127, 128, 129, 255)]


@pytest.mark.parametrize("other", [1, ORDER - 1, ORDER // 3])
def test_scalars_of_all_digits(other: int) -> None:
    """Whatever the key is multiplied with, the multiples find the sum."""
    key = SECRETS[0] * G
    multiples = of_key(_encoded(key))
    part = other * G
    for edge in _EDGES:
        point: Point = (edge % ORDER * key + part).to_affine()
        assert multiples.right([_claim(other, edge % ORDER, point.x())]) == [True], edge


_SCALARS = st.one_of(
    st.binary(min_size=32, max_size=32), st.integers(0, 3).map(lambda n: bytes([0] * 31 + [n]))
)
_MULTIPLES = of_key(_encoded(SECRETS[0] * G))
_PLAIN = P256(_encoded(SECRETS[0] * G), Shelf(None))


@given(st.lists(st.builds(Digested, _SCALARS, st.builds(bytes.__add__, _SCALARS, _SCALARS))))
def test_multiples_find_nothing_else(claims: list[Digested]) -> None:
    """Whatever is claimed, what they find right is right."""
    found = _MULTIPLES.right(claims)
    plain = _PLAIN.right(claims)
    assert all(right or not known for known, right in zip(found, plain, strict=True))


@pytest.mark.parametrize("point", [b"", bytes(1), bytes(65), b"\4" + bytes(64)])
def test_what_is_no_point_has_no_multiples(point: bytes) -> None:
    """That is said at once."""
    with pytest.raises(ValueError, match="not a point"):
        of_key(point)
