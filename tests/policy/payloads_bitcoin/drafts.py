"""PSBTs to take apart: written here by hand, over previous transactions of python-bitcoinlib."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import coincurve
from bitcoin.core import (
    CMutableTransaction,
    CMutableTxIn,
    CMutableTxOut,
    COutPoint,
    CTxInWitness,
    CTxWitness,
)
from bitcoin.core.script import CScript, CScriptWitness

SECRET = coincurve.PrivateKey(b"\x01" * 32)
OTHER = coincurve.PrivateKey(b"\x02" * 32)
KEY, OTHER_KEY = SECRET.public_key.format(), OTHER.public_key.format()
BTC = 10**8
FINAL = 0xFFFFFFFF


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    return hashlib.new("ripemd160", hashlib.sha256(data).digest()).digest()


def multisig(threshold: int, *keys: bytes) -> bytes:
    """Return ``m <keys> n CHECKMULTISIG``."""
    pushes = b"".join(b"\x21" + key for key in keys)
    return bytes((0x50 + threshold,)) + pushes + bytes((0x50 + len(keys), 0xAE))


P2WPKH = b"\x00\x14" + hash160(KEY)
P2PKH = b"\x76\xa9\x14" + hash160(KEY) + b"\x88\xac"
P2SH = b"\xa9\x14" + hash160(P2WPKH) + b"\x87"
P2TR = b"\x51\x20" + KEY[1:]
SINGLE = b"\x21" + KEY + b"\xac"
ONE_OF_TWO = multisig(1, KEY, OTHER_KEY)
TWO_OF_TWO = multisig(2, KEY, OTHER_KEY)


def p2wsh(script: bytes) -> bytes:
    """Return the output script that is locked to a witness script."""
    return b"\x00\x20" + hashlib.sha256(script).digest()


# What may be spent: output script and witness script, by name.
LOCKS: Mapping[str, tuple[bytes, bytes | None]] = {
    "P2WPKH": (P2WPKH, None),
    "P2PKH": (P2PKH, None),
    "P2WSH of one key": (p2wsh(SINGLE), SINGLE),
    "P2WSH of 1 of 2": (p2wsh(ONE_OF_TWO), ONE_OF_TWO),
    "P2WSH of 2 of 2": (p2wsh(TWO_OF_TWO), TWO_OF_TWO),
}
ELSEWHERE = b"\x00\x14" + hash160(OTHER_KEY)


def number(value: int, size: int = 4) -> bytes:
    """Write a little-endian integer."""
    return value.to_bytes(size, "little")


def output(amount: int, script: bytes) -> bytes:
    """Write a transaction's output."""
    return number(amount, 8) + length(len(script)) + script


def length(size: int) -> bytes:
    """Write a length in the fewest bytes."""
    if size < 0xFD:
        return bytes((size,))
    return b"\xfd" + number(size, 2) if size <= 0xFFFF else b"\xfe" + number(size, 4)


def pair(key: bytes, value: bytes) -> bytes:
    """Write a field."""
    return length(len(key)) + key + length(len(value)) + value


def fields(found: Mapping[bytes, bytes]) -> bytes:
    """Write a map, its keys rising."""
    return b"".join(pair(key, found[key]) for key in sorted(found)) + b"\x00"


def previous(outputs: Sequence[tuple[int, bytes]], salt: int, *, witness: bool = False) -> bytes:
    """Return a transaction of the network; ``salt`` makes its id another one."""
    signature = CScript(b"" if witness else b"\x01\x2a")
    made = CMutableTransaction(
        [CMutableTxIn(COutPoint(salt.to_bytes(32), 1), signature)],
        [CMutableTxOut(amount, CScript(script)) for amount, script in outputs],
    )
    if witness:
        made.wit = CTxWitness([CTxInWitness(CScriptWitness([b"\x2a" * 71, KEY]))])
    return bytes(made.serialize())


def txid(raw: bytes) -> bytes:
    """Return a transaction's id, in the order in which it is hashed."""
    return bytes(CMutableTransaction.deserialize(raw).GetTxid())


@dataclass
class In:
    """An input and its map."""

    txid: bytes
    index: int
    fields: dict[bytes, bytes]
    sequence: int = FINAL - 2


@dataclass
class Out:
    """An output and its map."""

    amount: int
    script: bytes
    fields: dict[bytes, bytes] = field(default_factory=dict)


@dataclass
class Draft:
    """A PSBT before it is written."""

    version: int
    inputs: list[In]
    outputs: list[Out]
    tx_version: int = 2
    locktime: int = 0
    globals: dict[bytes, bytes] = field(default_factory=dict)

    def transaction(self) -> bytes:
        """Write the unsigned transaction."""
        parts = [number(self.tx_version), length(len(self.inputs))]
        parts += [
            item.txid + number(item.index) + b"\x00" + number(item.sequence) for item in self.inputs
        ]
        parts += [length(len(self.outputs))]
        parts += [output(item.amount, item.script) for item in self.outputs]
        return b"".join((*parts, number(self.locktime)))

    def payload(self) -> bytes:
        """Write it."""
        if self.version == 0:
            start = {b"\x00": self.transaction()} | self.globals
            inputs = [item.fields for item in self.inputs]
            outputs = [item.fields for item in self.outputs]
        else:
            start = self._globals_2() | self.globals
            inputs = [_fields_2(item) | item.fields for item in self.inputs]
            outputs = [
                {b"\x03": number(item.amount, 8), b"\x04": item.script} | item.fields
                for item in self.outputs
            ]
        return b"psbt\xff" + b"".join(map(fields, (start, *inputs, *outputs)))

    def _globals_2(self) -> dict[bytes, bytes]:
        return {
            b"\x02": number(self.tx_version),
            b"\x03": number(self.locktime),
            b"\x04": length(len(self.inputs)),
            b"\x05": length(len(self.outputs)),
            b"\xfb": number(2),
        }


def _fields_2(item: In) -> dict[bytes, bytes]:
    return {b"\x0e": item.txid, b"\x0f": number(item.index), b"\x10": number(item.sequence)}


def spend(
    lock: tuple[bytes, bytes | None],
    amount: int,
    salt: int,
    *,
    proven: bool = True,
    witness: bool = False,
) -> In:
    """Return an input that spends the second output of a transaction of its own."""
    script, witness_script = lock
    raw = previous([(1, P2TR), (amount, script)], salt, witness=witness)
    found = {b"\x00": raw} if proven else {}
    if script != P2PKH:
        found[b"\x01"] = output(amount, script)
    if witness_script is not None:
        found[b"\x05"] = witness_script
    return In(txid(raw), 1, found)


def draft(lock: str = "P2WPKH", version: int = 0, count: int = 2) -> Draft:
    """Return a payment of 1 BTC with change and a fee of 1,000 satoshi."""
    inputs = [spend(LOCKS[lock], BTC, salt) for salt in range(1, count + 1)]
    change = (count - 1) * BTC + BTC // 2 - 1000
    outputs = [Out(BTC // 2, ELSEWHERE), Out(change, LOCKS[lock][0])]
    return Draft(version, inputs, outputs)


ACCEPTED = (
    *(draft(lock, version).payload() for lock in LOCKS for version in (0, 2)),
    draft(count=1).payload(),
    Draft(2, [spend(LOCKS["P2WPKH"], BTC, 1, proven=False)], [Out(BTC - 1, P2WPKH)]).payload(),
)
