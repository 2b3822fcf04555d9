"""The fields of a PSBT: which belong where, how they look, and which are refused by name.

BIP-174, "Specification", and BIP-370, "Specification". By version: 0 or 2.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from policy.payloads.bitcoin.script import KEY_BYTES, NO_TAPROOT
from policy.reasons import Code, PayloadError

Map = Mapping[bytes, bytes]
V0, V2 = 0, 2

UNSIGNED_TX, TX_VERSION, FALLBACK_LOCKTIME = b"\x00", b"\x02", b"\x03"
INPUT_COUNT, OUTPUT_COUNT, TX_MODIFIABLE, VERSION = b"\x04", b"\x05", b"\x06", b"\xfb"
NON_WITNESS_UTXO, WITNESS_UTXO, PARTIAL_SIG = b"\x00", b"\x01", b"\x02"
SIGHASH_TYPE, WITNESS_SCRIPT = b"\x03", b"\x05"
PREVIOUS_TXID, OUTPUT_INDEX, SEQUENCE = b"\x0e", b"\x0f", b"\x10"
REQUIRED_TIME, REQUIRED_HEIGHT = b"\x11", b"\x12"
OUT_REDEEM_SCRIPT, OUT_WITNESS_SCRIPT = b"\x00", b"\x01"
OUT_AMOUNT, OUT_SCRIPT = b"\x03", b"\x04"

_XPUB_BYTES, _DERIVATION_STEP = 78, 4
_SIGNATURE_BYTES = range(9, 74)  # DER and one byte


class Field(NamedTuple):
    """A field: its name, how long its key is behind the type, and whether a value can be one."""

    name: str
    valid: Callable[[bytes], bool]
    key_size: int = 0


def _any(_: bytes) -> bool:
    return True


def _of(size: int) -> Callable[[bytes], bool]:
    return lambda value: len(value) == size


def _is_derivation(value: bytes) -> bool:
    return bool(value) and len(value) % _DERIVATION_STEP == 0


def _is_signature(value: bytes) -> bool:
    return len(value) in _SIGNATURE_BYTES and value.endswith(b"\x01")  # SIGHASH_ALL


_GLOBAL = {0x01: Field("PSBT_GLOBAL_XPUB", _is_derivation, _XPUB_BYTES)}
GLOBALS: Mapping[int, Mapping[int, Field]] = {
    V0: {0x00: Field("PSBT_GLOBAL_UNSIGNED_TX", _any), **_GLOBAL},
    V2: {
        **_GLOBAL,
        0x02: Field("PSBT_GLOBAL_TX_VERSION", _of(4)),
        0x03: Field("PSBT_GLOBAL_FALLBACK_LOCKTIME", _of(4)),
        0x04: Field("PSBT_GLOBAL_INPUT_COUNT", _any),
        0x05: Field("PSBT_GLOBAL_OUTPUT_COUNT", _any),
        0x06: Field("PSBT_GLOBAL_TX_MODIFIABLE", _of(1)),
        0xFB: Field("PSBT_GLOBAL_VERSION", _of(4)),
    },
}
_INPUT = {
    0x00: Field("PSBT_IN_NON_WITNESS_UTXO", _any),
    0x01: Field("PSBT_IN_WITNESS_UTXO", _any),
    0x02: Field("PSBT_IN_PARTIAL_SIG", _is_signature, KEY_BYTES),
    0x03: Field("PSBT_IN_SIGHASH_TYPE", _of(4)),
    0x05: Field("PSBT_IN_WITNESS_SCRIPT", _any),
    0x06: Field("PSBT_IN_BIP32_DERIVATION", _is_derivation, KEY_BYTES),
}
INPUTS: Mapping[int, Mapping[int, Field]] = {
    V0: _INPUT,
    V2: {
        **_INPUT,
        0x0E: Field("PSBT_IN_PREVIOUS_TXID", _of(32)),
        0x0F: Field("PSBT_IN_OUTPUT_INDEX", _of(4)),
        0x10: Field("PSBT_IN_SEQUENCE", _of(4)),
        0x11: Field("PSBT_IN_REQUIRED_TIME_LOCKTIME", _of(4)),
        0x12: Field("PSBT_IN_REQUIRED_HEIGHT_LOCKTIME", _of(4)),
    },
}
_OUTPUT = {
    0x00: Field("PSBT_OUT_REDEEM_SCRIPT", _any),
    0x01: Field("PSBT_OUT_WITNESS_SCRIPT", _any),
    0x02: Field("PSBT_OUT_BIP32_DERIVATION", _is_derivation, KEY_BYTES),
}
OUTPUTS: Mapping[int, Mapping[int, Field]] = {
    V0: _OUTPUT,
    V2: {
        **_OUTPUT,
        0x03: Field("PSBT_OUT_AMOUNT", _of(8)),
        0x04: Field("PSBT_OUT_SCRIPT", _any),
    },
}

_PROPRIETARY = {0xFC: "is proprietary"}
_WRONG_VERSION = "does not belong in a PSBT of this version"
REFUSED_GLOBALS: Mapping[int, str] = {
    **_PROPRIETARY,
    **dict.fromkeys((0x00, 0x02, 0x03, 0x04, 0x05, 0x06), _WRONG_VERSION),
}
REFUSED_INPUTS: Mapping[int, str] = {
    **_PROPRIETARY,
    0x04: "is P2SH, which is not supported",
    0x07: "is signed already",
    0x08: "is signed already",
    0x09: "proves reserves",
    **dict.fromkeys(range(0x0A, 0x0E), "is for scripts with hashes"),
    **dict.fromkeys(range(0x0E, 0x13), _WRONG_VERSION),
    **dict.fromkeys((*range(0x13, 0x19), *range(0x1A, 0x1D)), NO_TAPROOT),
}
REFUSED_OUTPUTS: Mapping[int, str] = {
    **_PROPRIETARY,
    **dict.fromkeys((0x03, 0x04), _WRONG_VERSION),
    **dict.fromkeys((0x05, 0x06, 0x07, 0x08), "is about the inside of taproot"),
}


def check(found: Map, fields: Mapping[int, Field], refused: Mapping[int, str], where: str) -> None:
    """Check that a map holds only known fields, each of its shape.

    Raises:
        PayloadError: with the field's name or type.
    """
    for key, value in found.items():
        kind = key[0]
        field = fields.get(kind)
        if field is None:
            detail = f"field {kind:#04x} {refused.get(kind, 'is not known')}"
            raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)
        if len(key) != 1 + field.key_size or not field.valid(value):
            detail = f"has {field.name} with a key or a value of another size or form"
            raise PayloadError(Code.PAYLOAD_MALFORMED, where, detail)
