"""Valid PSBTs of all shapes, made up: btclib reads them as we do and takes what is signed."""

import hashlib

from btclib.script.engine import verify_transaction
from btclib.tx.tx import Tx
from btclib_wallet.psbt import Psbt, ecdsa_sig_hash, extract_tx, finalize, prevouts
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Role
from policy.payloads import decode
from policy.payloads.bitcoin import TAG
from tests.policy.payloads.examples import oracle
from tests.policy.payloads_bitcoin.drafts import (
    ELSEWHERE,
    LOCKS,
    P2PKH,
    P2SH,
    P2TR,
    P2WPKH,
    Draft,
    Out,
    p2wsh,
    spend,
)
from tests.policy.payloads_bitcoin.test_psbt_signed import sign

TIMES, HEIGHTS = st.integers(500_000_000, 2**32 - 1), st.integers(1, 499_999_999)

_scripts = st.sampled_from([ELSEWHERE, P2PKH, P2SH, P2TR, P2WPKH, p2wsh(b"\x51")])


@st.composite
def _drafts(draw: st.DrawFn) -> Draft:
    lock, version = draw(st.sampled_from(sorted(LOCKS))), draw(st.sampled_from([0, 2]))
    spent = draw(st.lists(st.integers(1, 10**14), min_size=1, max_size=4))
    inputs = []
    for salt, amount in enumerate(spent, 1):
        item = spend(LOCKS[lock], amount, salt, witness=draw(st.booleans()))
        item.sequence = draw(st.sampled_from([0, 1, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF]))
        inputs.append(item)
    left, outputs = sum(spent), []
    for _ in range(draw(st.integers(1, 5))):
        amount = draw(st.integers(0, left))
        left -= amount
        outputs.append(Out(amount, draw(_scripts | st.just(LOCKS[lock][0]))))
    locktime = draw(st.integers(0, 2**32 - 1))
    made = Draft(version, inputs, outputs, draw(st.sampled_from([1, 2])), locktime)
    if version == 2 and draw(st.booleans()):
        key, values = draw(st.sampled_from([(b"\x11", TIMES), (b"\x12", HEIGHTS)]))
        for item in inputs:
            item.fields[key] = draw(values).to_bytes(4, "little")
    if version == 2:
        made.tx_version = 2
    return made


@oracle
@given(_drafts())
def test_generated_psbts(made: Draft) -> None:
    """The oracle reads the same amounts and hashes, and takes the signed transaction."""
    payload = made.payload()
    decoded, other = decode(TAG, payload), Psbt.parse(payload)
    own = made.inputs[0].fields.get(b"\x01", b"")[9:] or P2PKH
    paid = [item.value for item in other.tx.vout if item.script_pub_key.script != own]
    *payments, fee = decoded.facts.transfers
    assert [item.amount for item in payments] == paid
    spent = sum(item.value for item in prevouts(other))
    assert (fee.role, fee.amount) == (Role.FEE, spent - sum(item.value for item in other.tx.vout))
    hashes = [hashlib.sha256(hashlib.sha256(text).digest()).digest() for text in decoded.messages]
    assert hashes == [ecdsa_sig_hash(other, at) for at in range(len(made.inputs))]
    signed = sign(payload)
    if signed.transaction:
        verify_transaction(prevouts(other), Tx.parse(signed.transaction))
        final = extract_tx(finalize(Psbt.parse(signed.psbt)), max_fee_rate=None)
        assert final.serialize(include_witness=True) == signed.transaction
