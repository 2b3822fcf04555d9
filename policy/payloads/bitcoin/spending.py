"""What a PSBT spends: the outputs behind its inputs, and what each signature commits to.

A signature of version 0 of segregated witness commits to the amount of its own input
only. With two inputs, one amount too low in each of two requests would give two
signatures over one transaction that pays the difference to the miner
(CVE-2020-14199). So an amount is believed when the whole previous transaction stands
behind it, whose hash the input names; or when there is no other input.
"""

from policy.payloads.bitcoin import fields
from policy.payloads.bitcoin.fields import Map
from policy.payloads.bitcoin.psbt import Psbt
from policy.payloads.bitcoin.script import Lock, lock
from policy.payloads.bitcoin.transaction import (
    TXID,
    Output,
    Transaction,
    read_output,
    read_previous,
    written,
)
from policy.payloads.bitcoin.wire import Reader, compact, sha256d, string
from policy.reasons import Code, PayloadError

SIGHASH_ALL = (1).to_bytes(4, "little")


def spent(found: Psbt) -> tuple[tuple[Output, ...], Lock]:
    """Return the outputs that are spent, and what opens them: all have one script.

    Raises:
        PayloadError: an output is not proven, or cannot be opened by what is supported.
    """
    outputs = []
    locks = []
    for at, (item, spending) in enumerate(zip(found.inputs, found.transaction.inputs, strict=True)):
        where = f"psbt.input[{at}]"
        _check_sighash(item, where)
        output, proven = _utxo(item, spending.outpoint, where)
        opened = lock(output.script, item.get(fields.WITNESS_SCRIPT), where)
        _check_proof(opened, where, proven=proven, alone=len(found.inputs) == 1)
        _check_signatures(item, opened, where)
        outputs.append(output)
        locks.append(opened)
    if len({output.script for output in outputs}) != 1:
        detail = "are of several addresses: what returns to one of them might leave another"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "psbt.input", detail)
    return tuple(outputs), locks[0]


def messages(transaction: Transaction, outputs: tuple[Output, ...], opened: Lock) -> list[bytes]:
    """Return what is hashed twice and signed for each input, with SIGHASH_ALL."""
    if opened.witness:
        return _witness_messages(transaction, outputs, opened)
    return _legacy_messages(transaction, opened)


def _witness_messages(
    transaction: Transaction, outputs: tuple[Output, ...], opened: Lock
) -> list[bytes]:
    """BIP-143, "Specification"."""
    inputs = transaction.inputs
    start = (
        transaction.version
        + sha256d(b"".join(item.outpoint for item in inputs))
        + sha256d(b"".join(item.sequence for item in inputs))
    )
    end = sha256d(b"".join(map(written, transaction.outputs))) + transaction.locktime + SIGHASH_ALL
    code = string(opened.code)
    return [
        start + item.outpoint + code + output.amount.to_bytes(8, "little") + item.sequence + end
        for item, output in zip(inputs, outputs, strict=True)
    ]


def _legacy_messages(transaction: Transaction, opened: Lock) -> list[bytes]:
    """The transaction, with the script that is opened in the place of the input's own."""
    count = compact(len(transaction.inputs))
    end = compact(len(transaction.outputs)) + b"".join(map(written, transaction.outputs))
    code = string(opened.code)
    return [
        transaction.version
        + count
        + b"".join(
            item.outpoint + (code if item is signed else b"\x00") + item.sequence
            for item in transaction.inputs
        )
        + end
        + transaction.locktime
        + SIGHASH_ALL
        for signed in transaction.inputs
    ]


def _utxo(found: Map, outpoint: bytes, where: str) -> tuple[Output, bool]:
    """Return the output that an input spends, and whether it is proven."""
    previous = found.get(fields.NON_WITNESS_UTXO)
    claimed = found.get(fields.WITNESS_UTXO)
    output = None if claimed is None else _read_output(claimed, where)
    if previous is None:
        if output is None:
            detail = "says nothing of what it spends"
            raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)
        return output, False
    txid, outputs = read_previous(previous, f"{where}.previous")
    if txid != outpoint[:TXID]:
        raise _malformed(where, "has a previous transaction with another id")
    index = int.from_bytes(outpoint[TXID:], "little")
    if index >= len(outputs):
        raise _malformed(where, f"spends output {index}; its transaction has {len(outputs)}")
    if output not in (None, outputs[index]):
        raise _malformed(where, "has a witness UTXO that its previous transaction denies")
    return outputs[index], True


def _read_output(data: bytes, where: str) -> Output:
    reader = Reader(data, where)
    output = read_output(reader, where)
    reader.end()
    return output


def _check_proof(opened: Lock, where: str, *, proven: bool, alone: bool) -> None:
    if proven or (opened.witness and alone):
        return
    if opened.witness:
        detail = "lacks its previous transaction: beside other inputs its amount is not proven"
    else:
        detail = "lacks its previous transaction: a P2PKH signature commits to no amount"
    raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)


def _check_sighash(found: Map, where: str) -> None:
    value = found.get(fields.SIGHASH_TYPE, SIGHASH_ALL)
    if value != SIGHASH_ALL:
        kind = int.from_bytes(value, "little")
        detail = f"asks for sighash type {kind:#x}; only SIGHASH_ALL, 0x1, is taken"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)


def _check_signatures(found: Map, opened: Lock, where: str) -> None:
    """Other signers' signatures stand only where there are other signers."""
    signers = [key[1:] for key in found if key[:1] == fields.PARTIAL_SIG]
    if not set(signers) <= set(opened.keys):
        raise _malformed(where, "has a signature by a key that its script does not name")


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)
