"""From a PSBT and its signatures to what is handed out: the PSBT with them, the transaction."""

from typing import NamedTuple

from policy.payloads.bitcoin import fields, psbt, spending
from policy.payloads.bitcoin.script import Lock
from policy.payloads.bitcoin.transaction import Transaction
from policy.payloads.bitcoin.wire import compact, sha256d, string

_SIGNATURE, _SCALAR = 64, 32
_ALL = b"\x01"  # SIGHASH_ALL, behind each signature


class Signed(NamedTuple):
    """A signed PSBT; and where the key suffices, the final transaction and its id.

    The id is in hex as explorers show it, which is the hash's bytes in reverse.
    """

    psbt: bytes
    transaction: bytes = b""
    transaction_id: str = ""


def assemble(payload: bytes, signatures: bytes, key: bytes) -> Signed:
    """Put the signatures of a compressed key, r || s for each input in order, into place.

    Raises:
        ValueError: the inputs are not locked to this key.
    """
    found = psbt.read(payload)
    _, opened = spending.spent(found)
    if not opened.takes(key):
        raise ValueError("the PSBT's inputs are not locked to this key")
    encoded = [
        _der(signatures[at : at + _SIGNATURE]) + _ALL
        for at in range(0, len(signatures), _SIGNATURE)
    ]
    inputs = tuple(
        {**item, fields.PARTIAL_SIG + key: signature}
        for item, signature in zip(found.inputs, encoded, strict=True)
    )
    signed = psbt.write(found._replace(inputs=inputs))
    if opened.threshold > 1:
        return Signed(signed)
    transaction = _final(found.transaction, opened, encoded, key)
    raw = _with_witnesses(transaction, opened, encoded, key)
    return Signed(signed, raw, sha256d(transaction.serialised())[::-1].hex())


def _final(
    transaction: Transaction, opened: Lock, signatures: list[bytes], key: bytes
) -> Transaction:
    if opened.witness:
        return transaction
    inputs = tuple(
        item._replace(script=string(signature) + string(key))
        for item, signature in zip(transaction.inputs, signatures, strict=True)
    )
    return transaction._replace(inputs=inputs)


def _with_witnesses(
    transaction: Transaction, opened: Lock, signatures: list[bytes], key: bytes
) -> bytes:
    """BIP-144, "Specification"."""
    plain = transaction.serialised()
    if not opened.witness:
        return plain
    witnesses = b"".join(_witness(opened, signature, key) for signature in signatures)
    return plain[:4] + b"\x00\x01" + plain[4:-4] + witnesses + plain[-4:]


def _witness(opened: Lock, signature: bytes, key: bytes) -> bytes:
    if opened.is_multisig:
        items = [b"", signature, opened.code]  # CHECKMULTISIG takes one item too many
    else:
        items = [signature, opened.code if opened.keys else key]
    return compact(len(items)) + b"".join(map(string, items))


def _der(signature: bytes) -> bytes:
    """Encode r || s (BIP-66)."""
    body = _integer(signature[:_SCALAR]) + _integer(signature[_SCALAR:])
    return bytes((0x30, len(body))) + body


def _integer(scalar: bytes) -> bytes:
    data = scalar.lstrip(b"\x00")
    if not data or data[0] & 0x80:
        data = b"\x00" + data
    return bytes((0x02, len(data))) + data
