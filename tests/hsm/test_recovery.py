"""The recovery id of a signature is found with its nonce point, and only for the key's own."""

from hashlib import sha256
from itertools import count

import coincurve
import pytest

from signer.hsm.recovery import ORDER, RECENT, Digested, Recovery

KEYS = [coincurve.PrivateKey(bytes([number]) * 32) for number in range(1, 9)]


def _signed(key: coincurve.PrivateKey, number: int) -> tuple[Digested, int]:
    digest = sha256(b"%d" % number).digest()
    signature = key.sign_recoverable(digest, hasher=None)
    return Digested(digest, signature[:64]), signature[64]


def _recovery(key: coincurve.PrivateKey) -> Recovery:
    return Recovery(key.public_key.format(compressed=False))


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_ids_are_those_of_the_signer(key: coincurve.PrivateKey) -> None:
    """Whether alone or together, each gets the id that libsecp256k1 gave when it signed."""
    claims, ids = zip(*(_signed(key, number) for number in range(16)), strict=True)
    assert set(ids) == {0, 1}
    assert _recovery(key).ids(claims) == list(ids)
    assert [_recovery(key).id(claim) for claim in claims] == list(ids)


def test_wrong_ones_among_right_ones() -> None:
    """What is no signature of the key's has no id, and spoils no other's."""
    key, other = KEYS[:2]
    (good, number), (foreign, _) = _signed(key, 1), _signed(other, 1)
    r, s = good.signature[:32], good.signature[32:]
    zero, order = bytes(32), ORDER.to_bytes(32)
    bad = [bytes(64), zero + s, r + zero, order + s, r + order, s + r, r + s + b"\0", r, b""]
    wrong = [foreign, Digested(sha256(b"other").digest(), good.signature)]
    wrong += [Digested(good.digest, signature) for signature in bad]
    claims = [item for each in wrong for item in (each, good)]
    assert _recovery(key).ids(claims) == [None, number] * len(wrong)
    assert _recovery(key).ids([]) == []


def test_a_high_s_has_the_other_id() -> None:
    """The other form of a signature has its nonce point on the other side."""
    good, number = _signed(KEYS[0], 1)
    s = (ORDER - int.from_bytes(good.signature[32:])).to_bytes(32)
    assert _recovery(KEYS[0]).ids([good._replace(signature=good.signature[:32] + s)]) == [
        1 - number
    ]


@pytest.mark.parametrize("number", [2, 3])
def test_an_r_that_was_reduced(number: int) -> None:
    """Ids 2 and 3, which no signature by chance has, are found for a key made to fit."""
    for r in count(1):
        claim = Digested(sha256(b"digest").digest(), r.to_bytes(32) + sha256(b"s").digest())
        try:
            key = coincurve.PublicKey.from_signature_and_message(
                claim.signature + bytes([number]), claim.digest, hasher=None
            )
        except ValueError:  # no point has this x
            continue
        assert Recovery(key.format(compressed=False)).ids([claim]) == [number]
        return


def test_no_nonce_point() -> None:
    """A digest for which the sum is no point at all is no reason to fail."""
    key, r = KEYS[0], 5
    digest = (-r * int.from_bytes(key.secret) % ORDER).to_bytes(32)
    assert _recovery(key).ids([Digested(digest, r.to_bytes(32) + r.to_bytes(32))]) == [None]


def test_an_id_can_be_asked_for_again() -> None:
    """Whether it was found a moment ago, was asked for before, or is long forgotten."""
    recovery = _recovery(KEYS[0])
    signed = [_signed(KEYS[0], number) for number in range(RECENT + 2)]
    for claim, _ in signed:
        recovery.ids([claim])
    for claim, number in (signed[0], signed[-1], signed[-1]):
        assert recovery.id(claim) == number
