"""Partially signed transactions of version 0 (BIP-174) and 2 (BIP-370), in one encoding.

The specifications leave the order of fields open. Here their keys rise, as the usual
wallets write them, so that ``write`` of what ``read`` gave is the payload.
"""

from collections.abc import Mapping
from typing import NamedTuple

from policy.payloads.bitcoin import fields
from policy.payloads.bitcoin.fields import Map
from policy.payloads.bitcoin.transaction import (
    MAX_MONEY,
    Input,
    Output,
    Transaction,
    read_unsigned,
)
from policy.payloads.bitcoin.wire import Reader, string
from policy.reasons import Code, PayloadError

MAGIC = b"psbt\xff"
MAX_INPUTS, MAX_OUTPUTS = 100, 500
_END = b"\x00"
_VERSION_BYTES = 4
_FINAL = b"\xff\xff\xff\xff"  # the sequence where a PSBT of version 2 gives none
_FIRST_TIME = 500_000_000  # lock times from here on are seconds, those below are heights


class Psbt(NamedTuple):
    """What a PSBT holds, and the transaction that it is about."""

    version: int
    transaction: Transaction
    globals: Map
    inputs: tuple[Map, ...]
    outputs: tuple[Map, ...]


def read(payload: bytes) -> Psbt:
    """Read a PSBT.

    Raises:
        PayloadError: it is not one, not in its one encoding, or has a field that is not taken.
    """
    reader = Reader(payload, "psbt")
    if reader.take(len(MAGIC)) != MAGIC:
        raise _malformed("psbt", "does not begin with the magic bytes of a PSBT")
    found = _map(reader, "psbt.global")
    version = _version(found)
    fields.check(found, fields.GLOBALS[version], fields.REFUSED_GLOBALS, "psbt.global")
    if version == fields.V0:
        transaction = read_unsigned(_needed(found, fields.UNSIGNED_TX, "psbt.global"), "psbt.tx")
        counts = len(transaction.inputs), len(transaction.outputs)
    else:
        transaction = None
        counts = _count(found, fields.INPUT_COUNT), _count(found, fields.OUTPUT_COUNT)
    _check_counts(*counts)
    inputs = _maps(reader, counts[0], "psbt.input", fields.INPUTS[version], fields.REFUSED_INPUTS)
    outputs = _maps(
        reader, counts[1], "psbt.output", fields.OUTPUTS[version], fields.REFUSED_OUTPUTS
    )
    reader.end()
    transaction = transaction or _assembled(found, inputs, outputs)
    return Psbt(version, transaction, found, inputs, outputs)


def write(found: Psbt) -> bytes:
    """Write it."""
    return MAGIC + b"".join(map(_written, (found.globals, *found.inputs, *found.outputs)))


def _written(fields_: Map) -> bytes:
    return b"".join(string(key) + string(fields_[key]) for key in sorted(fields_)) + _END


def _map(reader: Reader, where: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    last = b""
    while key := reader.string():
        if key <= last:
            if key in found:
                raise _malformed(where, f"has the key {key[:40].hex()} twice")
            detail = f"has the key {key[:40].hex()} behind a larger one"
            raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
        found[key] = reader.string()
        last = key
    return found


def _maps(
    reader: Reader,
    count: int,
    where: str,
    known: Mapping[int, fields.Field],
    refused: Mapping[int, str],
) -> tuple[Map, ...]:
    maps = []
    for at in range(count):
        found = _map(reader, place := f"{where}[{at}]")
        fields.check(found, known, refused, place)
        maps.append(found)
    return tuple(maps)


def _version(found: Map) -> int:
    value = found.get(fields.VERSION)
    if value is None:
        return fields.V0
    if len(value) != _VERSION_BYTES:
        raise _malformed("psbt.global", f"has a version of {len(value)} bytes")
    version = int.from_bytes(value, "little")
    if version == fields.V0:
        detail = "names version 0, which is written by leaving it out"
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, "psbt.global", detail)
    if version != fields.V2:
        detail = f"is of version {version}; 0 and 2 are taken"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "psbt.global", detail)
    return version


def _count(found: Map, key: bytes) -> int:
    reader = Reader(_needed(found, key, "psbt.global"), "psbt.global")
    count = reader.compact()
    reader.end()
    return count


def _check_counts(inputs: int, outputs: int) -> None:
    if not (1 <= inputs <= MAX_INPUTS and 1 <= outputs <= MAX_OUTPUTS):
        most = f"1 to {MAX_INPUTS} and 1 to {MAX_OUTPUTS}"
        detail = f"has {inputs} inputs and {outputs} outputs; {most} are taken"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "psbt.global", detail)


def _assembled(found: Map, inputs: tuple[Map, ...], outputs: tuple[Map, ...]) -> Transaction:
    """Return the transaction that the fields of version 2 describe (BIP-370)."""
    if any(found.get(fields.TX_MODIFIABLE, b"")):
        detail = "may still be changed: PSBT_GLOBAL_TX_MODIFIABLE is not 0"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "psbt.global", detail)
    return Transaction(
        _needed(found, fields.TX_VERSION, "psbt.global"),
        tuple(_input(item, f"psbt.input[{at}]") for at, item in enumerate(inputs)),
        tuple(_output(item, f"psbt.output[{at}]") for at, item in enumerate(outputs)),
        _locktime(found, inputs),
    )


def _input(found: Map, where: str) -> Input:
    txid = _needed(found, fields.PREVIOUS_TXID, where)
    index = _needed(found, fields.OUTPUT_INDEX, where)
    return Input(txid + index, b"", found.get(fields.SEQUENCE, _FINAL))


def _output(found: Map, where: str) -> Output:
    amount = int.from_bytes(_needed(found, fields.OUT_AMOUNT, where), "little")
    if amount > MAX_MONEY:
        raise _malformed(where, f"{amount} is more than all bitcoin")
    return Output(amount, _needed(found, fields.OUT_SCRIPT, where))


def _locktime(found: Map, inputs: tuple[Map, ...]) -> bytes:
    """Return what BIP-370, "Determining Lock Time", asks for: a height where all can have one."""
    times = [_required(item, fields.REQUIRED_TIME) for item in inputs]
    heights = [_required(item, fields.REQUIRED_HEIGHT) for item in inputs]
    if any(time is not None and time < _FIRST_TIME for time in times):
        raise _malformed("psbt.input", f"requires a time before {_FIRST_TIME}")
    if any(height is not None and not 0 < height < _FIRST_TIME for height in heights):
        raise _malformed("psbt.input", f"requires a height that is not 1 to {_FIRST_TIME - 1}")
    bound = [pair for pair in zip(heights, times, strict=True) if pair != (None, None)]
    if not bound:
        return found.get(fields.FALLBACK_LOCKTIME, bytes(4))
    for kind in zip(*bound, strict=True):
        if None not in kind:
            return max(value or 0 for value in kind).to_bytes(4, "little")
    raise _malformed("psbt.input", "requires a height beside an input that requires a time")


def _required(found: Map, key: bytes) -> int | None:
    value = found.get(key)
    return None if value is None else int.from_bytes(value, "little")


def _needed(found: Map, key: bytes, where: str) -> bytes:
    value = found.get(key)
    if value is None:
        raise _malformed(where, f"lacks the field {key[0]:#04x}")
    return value


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)
