"""Signed PSBTs and transactions: script verifiers nobody here wrote take them."""

import hashlib

import coincurve
import pytest
from bitcoin.core import CTransaction, b2lx
from bitcoin.core.script import CScript
from bitcoin.core.scripteval import SCRIPT_VERIFY_P2SH, VerifyScript
from btclib.script.engine import verify_transaction
from btclib.tx.tx import Tx
from btclib_wallet.psbt import Psbt, extract_tx, finalize, prevouts
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from policy.payloads import decode
from policy.payloads.bitcoin import TAG, Signed, assemble
from policy.payloads.bitcoin.script import lock
from policy.payloads.bitcoin.spending import messages
from policy.payloads.bitcoin.transaction import Output, read_unsigned
from tests.policy.payloads_bitcoin.drafts import (
    ACCEPTED,
    KEY,
    LOCKS,
    OTHER,
    OTHER_KEY,
    P2PKH,
    SECRET,
    draft,
    hash160,
)

ALONE = [lock for lock in LOCKS if lock != "P2WSH of 2 of 2"]


def sign(payload: bytes, secret: coincurve.PrivateKey = SECRET) -> Signed:
    """Sign as the token does: every message, hashed twice, as r || s."""
    decoded = decode(TAG, payload)
    signatures = b""
    for message in decoded.messages:
        digest = hashlib.sha256(hashlib.sha256(message).digest()).digest()
        der = secret.sign(digest, hasher=None)
        signatures += coincurve.ecdsa.serialize_compact(coincurve.ecdsa.der_to_cdata(der))
    return assemble(payload, signatures, secret.public_key.format())


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("kind", ALONE)
def test_the_transaction_is_final(kind: str, version: int) -> None:
    """Where one key suffices, btclib's script engine takes the transaction for each input."""
    payload = draft(kind, version).payload()
    signed = sign(payload)
    transaction = Tx.parse(signed.transaction)
    verify_transaction(prevouts(Psbt.parse(payload)), transaction)
    assert transaction.serialize(include_witness=True) == signed.transaction
    assert transaction.id.hex() == signed.transaction_id


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("kind", ALONE)
def test_another_library_finishes_the_psbt_alike(kind: str, version: int) -> None:
    """Btclib finalises the signed PSBT to the transaction that comes with it."""
    signed = sign(draft(kind, version).payload())
    psbt = Psbt.parse(signed.psbt)
    assert psbt.serialize() == signed.psbt
    final = extract_tx(finalize(psbt), max_fee_rate=None)
    assert final.serialize(include_witness=True) == signed.transaction


def test_a_second_verifier_takes_p2pkh() -> None:
    """python-bitcoinlib verifies every input of a transaction from before witnesses."""
    signed = sign(draft("P2PKH").payload())
    transaction = CTransaction.deserialize(signed.transaction)
    for at, item in enumerate(transaction.vin):
        VerifyScript(item.scriptSig, CScript(P2PKH), transaction, at, (SCRIPT_VERIFY_P2SH,))
    assert b2lx(transaction.GetTxid()) == signed.transaction_id


def test_several_signers_sign_in_turn() -> None:
    """Where one key does not suffice there is no transaction, and the next signer finishes it."""
    first = sign(draft("P2WSH of 2 of 2").payload())
    assert (first.transaction, first.transaction_id) == (b"", "")
    second = sign(first.psbt, OTHER)
    final = extract_tx(finalize(Psbt.parse(second.psbt)), max_fee_rate=None)
    verify_transaction(prevouts(Psbt.parse(first.psbt)), final)


@pytest.mark.parametrize("payload", ACCEPTED)
def test_a_signed_psbt_says_the_same(payload: bytes) -> None:
    """Signing adds one signature to each input, and nothing else."""
    signed = Psbt.parse(sign(payload).psbt)
    for item in signed.inputs:
        assert set(item.partial_sigs) == {KEY}
        item.partial_sigs.clear()
    assert signed.serialize() == payload


@pytest.mark.parametrize("kind", LOCKS)
def test_another_key_is_refused(kind: str) -> None:
    """Signatures of a key that opens nothing are put nowhere."""
    stranger = coincurve.PrivateKey(b"\x03" * 32)
    with pytest.raises(ValueError, match=r"^the PSBT's inputs are not locked to this key$"):
        sign(draft(kind).payload(), stranger)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("kind", ["P2WPKH", "P2PKH"])
def test_each_input_has_its_signature(kind: str, count: int) -> None:
    """Two inputs take two signatures: neither fewer nor more are put into place."""
    with pytest.raises(ValueError, match=r"shorter|longer"):
        assemble(draft(kind).payload(), (b"\x01" * 64) * count, KEY)


def test_either_key_opens_one_of_two() -> None:
    """Each key of a script of several is taken."""
    payload = draft("P2WSH of 1 of 2").payload()
    for secret, key in ((SECRET, KEY), (OTHER, OTHER_KEY)):
        signed = sign(payload, secret)
        assert set(Psbt.parse(signed.psbt).inputs[0].partial_sigs) == {key}
        verify_transaction(prevouts(Psbt.parse(payload)), Tx.parse(signed.transaction))


@pytest.mark.parametrize(
    "scalars",
    [
        (b"\x00" * 31 + b"\x01", b"\x00" * 31 + b"\x7f"),
        (b"\x80" + b"\x00" * 31, b"\x00" * 30 + b"\x80\x00"),
        (b"\xff" * 32, b"\x7f" * 32),
    ],
)
def test_signatures_are_der(scalars: tuple[bytes, bytes]) -> None:
    """Each scalar takes the fewest bytes and no sign, as cryptography writes it (BIP-66)."""
    r, s = scalars
    signed = assemble(draft(count=1).payload(), r + s, KEY)
    expected = encode_dss_signature(int.from_bytes(r), int.from_bytes(s)) + b"\x01"
    assert expected in signed.psbt


def test_the_example_of_the_specification() -> None:
    """BIP-143, "Native P2WPKH": the documented key gives the documented hash and signature."""
    transaction = read_unsigned(
        bytes.fromhex(
            "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffff"
            "ffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202c"
            "b206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143b"
            "de42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000"
        ),
        "here",
    )
    secret = coincurve.PrivateKey.from_hex(
        "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"
    )
    script = b"\x00\x14" + hash160(secret.public_key.format())
    spent = (Output(625_000_000, b""), Output(600_000_000, script))
    message = messages(transaction, spent, lock(script, None, "here"))[1]
    digest = hashlib.sha256(hashlib.sha256(message).digest()).digest()
    assert digest.hex() == "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"
    assert secret.sign(digest, hasher=None).hex() == (
        "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a"
        "0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee"
    )
