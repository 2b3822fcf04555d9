"""Transactions: as the network has them, and without what signatures add (BIP-144)."""

from typing import NamedTuple

from policy.payloads.bitcoin.wire import Reader, compact, sha256d, string
from policy.reasons import Code, PayloadError

MAX_MONEY = 21_000_000 * 10**8  # satoshi
TXID, OUTPOINT = 32, 36  # bytes


class Input(NamedTuple):
    """What is spent: transaction id and index as serialised; and with which sequence."""

    outpoint: bytes
    script: bytes
    sequence: bytes


class Output(NamedTuple):
    """An amount in satoshi, and the script that locks it."""

    amount: int
    script: bytes


class Transaction(NamedTuple):
    """A transaction. ``version`` and ``locktime`` are 4 bytes as serialised."""

    version: bytes
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    locktime: bytes

    def serialised(self) -> bytes:
        """Return it without witnesses."""
        parts = [self.version, compact(len(self.inputs))]
        parts += [item.outpoint + string(item.script) + item.sequence for item in self.inputs]
        parts += [compact(len(self.outputs)), *map(written, self.outputs), self.locktime]
        return b"".join(parts)


def written(output: Output) -> bytes:
    """Return an output as serialised."""
    return output.amount.to_bytes(8, "little") + string(output.script)


def read_unsigned(data: bytes, where: str) -> Transaction:
    """Read a transaction without witnesses, whose inputs have no scripts yet.

    Raises:
        PayloadError: it is not one.
    """
    reader = Reader(data, where)
    found = Transaction(reader.take(4), *_body(reader, where), reader.take(4))
    reader.end()
    if any(item.script for item in found.inputs):
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, "has an input with a script")
    return found


def read_previous(data: bytes, where: str) -> tuple[bytes, tuple[Output, ...]]:
    """Read a transaction of the network; returns its id and its outputs.

    Raises:
        PayloadError: it is not one.
    """
    reader = Reader(data, where)
    version = reader.take(4)
    has_witness = data[4:6] == b"\x00\x01"  # marker and flag
    start = 6 if has_witness else 4
    reader.at = start
    inputs, outputs = _body(reader, where)
    end = reader.at
    if has_witness and not sum(_witness(reader) for _ in inputs):
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, "has a flag and no witness")
    locktime = reader.take(4)
    reader.end()
    return sha256d(version + data[start:end] + locktime), outputs


def read_output(reader: Reader, where: str) -> Output:
    """Read an output.

    Raises:
        PayloadError: it is cut short, or is more money than there is.
    """
    amount = reader.integer(8)
    if amount > MAX_MONEY:
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, f"{amount} is more than all bitcoin")
    return Output(amount, reader.string())


def _body(reader: Reader, where: str) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
    inputs = tuple(
        Input(reader.take(OUTPOINT), reader.string(), reader.take(4))
        for _ in range(reader.compact())
    )
    outputs = tuple(read_output(reader, where) for _ in range(reader.compact()))
    if not (inputs and outputs):
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, "has no inputs or no outputs")
    return inputs, outputs


def _witness(reader: Reader) -> int:
    count = reader.compact()
    reader.skip(count)
    return count
