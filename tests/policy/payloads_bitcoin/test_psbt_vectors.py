"""The vectors of BIP-174, BIP-370 and BIP-371: the invalid are refused, the valid read or named.

``vectors.json`` has the figures of the three specifications in their order, in Base64.
"""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from btclib_wallet.psbt import Psbt

from policy.payloads import decode
from policy.payloads.bitcoin import TAG, psbt
from policy.reasons import Code, PayloadError

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
_NOT_VALID = {
    f"{name} {at}": b64decode(text)
    for name, texts in VECTORS.items()
    if name.endswith(("invalid", "not to be signed"))
    for at, text in enumerate(texts)
}
_READ = {  # of the valid ones, and what each pays in satoshi, the fee at the end
    "BIP-174": {
        0: [99_999_699, 100_000_000, 301],
        2: [99_999_699, 100_000_000, 301],
        5: [499_990_000, 10_000],
    },
    "BIP-370": {at: [800_000_000, 199_998_859, 141] for at in (1, 2, 3)},
    "BIP-371": {},
}
_NAMED = {
    "BIP-174": {
        1: "is signed already",
        3: "is P2SH, which is not supported",
        4: "is P2SH, which is not supported",
        6: "field 0xf0 is not known",
        7: "lacks its previous transaction",
        8: "has no inputs or no outputs",
        9: "has no inputs or no outputs",
    },
    "BIP-370": {0: "says nothing of what it spends"}
    | dict.fromkeys(range(4, 14), "PSBT_GLOBAL_TX_MODIFIABLE is not 0"),
    "BIP-371": dict.fromkeys(range(6), "PKCS#11 tokens make no BIP-340 signatures"),
}


def _vector(name: str, at: int) -> bytes:
    return b64decode(VECTORS[name][at])


def test_all_vectors_are_there() -> None:
    """None of the specifications' vectors was left out."""
    assert {name: len(texts) for name, texts in VECTORS.items()} == {
        "BIP-174 invalid": 20,
        "BIP-174 valid": 10,
        "BIP-174 not to be signed": 4,
        "BIP-370 invalid": 24,
        "BIP-370 valid": 14,
        "BIP-370 lock times": 10,
        "BIP-371 invalid": 11,
        "BIP-371 valid": 6,
    }
    for name, read in _READ.items():
        assert sorted({**read, **_NAMED[name]}) == list(range(len(VECTORS[f"{name} valid"])))


@pytest.mark.parametrize("payload", _NOT_VALID.values(), ids=_NOT_VALID)
def test_invalid_vectors_are_refused(payload: bytes) -> None:
    """What the specifications call invalid, or not to be signed, is never decoded."""
    with pytest.raises(PayloadError):
        decode(TAG, payload)


@pytest.mark.parametrize(
    ("bip", "at", "amounts"),
    [(bip, at, amounts) for bip, read in _READ.items() for at, amounts in read.items()],
)
def test_valid_vectors_are_read(bip: str, at: int, amounts: list[int]) -> None:
    """A valid one of the kinds that are supported gives its payments and its fee."""
    payload = _vector(f"{bip} valid", at)
    assert [moved.amount for moved in decode(TAG, payload).facts.transfers] == amounts
    assert Psbt.parse(payload).serialize() == payload == psbt.write(psbt.read(payload))


@pytest.mark.parametrize(
    ("bip", "at", "why"),
    [(bip, at, why) for bip, named in _NAMED.items() for at, why in named.items()],
)
def test_other_valid_vectors_are_refused_by_name(bip: str, at: int, why: str) -> None:
    """A valid one of another kind is refused as unsupported, with what it is."""
    with pytest.raises(PayloadError) as caught:
        decode(TAG, _vector(f"{bip} valid", at))
    assert caught.value.reason.code is Code.PAYLOAD_UNSUPPORTED
    assert why in caught.value.reason.detail


@pytest.mark.parametrize(("expected", "text"), VECTORS["BIP-370 lock times"])
def test_lock_times(expected: int | None, text: str) -> None:
    """The lock time is the one that BIP-370 works out; where it finds none, there is none."""
    payload = b64decode(text)
    if expected is None:
        with pytest.raises(PayloadError, match="beside an input that requires a time"):
            psbt.read(payload)
    else:
        found = psbt.read(payload).transaction.locktime
        assert int.from_bytes(found, "little") == expected
