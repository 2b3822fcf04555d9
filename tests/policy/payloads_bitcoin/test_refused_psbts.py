"""The ways round a limit on PSBTs, each refused with its reason."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from policy.payloads import MAX_BYTES, decode
from policy.payloads.bitcoin import TAG
from policy.payloads.bitcoin.script import NO_TAPROOT
from policy.reasons import Code, PayloadError
from tests.policy.payloads_bitcoin.drafts import (
    BTC,
    ELSEWHERE,
    KEY,
    LOCKS,
    ONE_OF_TWO,
    OTHER_KEY,
    P2PKH,
    P2SH,
    P2TR,
    P2WPKH,
    SINGLE,
    TWO_OF_TWO,
    Draft,
    Out,
    draft,
    multisig,
    number,
    output,
    p2wsh,
    pair,
    previous,
    spend,
    txid,
)

MALFORMED, CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
UNSUPPORTED = Code.PAYLOAD_UNSUPPORTED
Case = tuple[bytes, Code, str]


def _made(change: Callable[[Draft], object], made: Draft | None = None) -> bytes:
    made = made or draft()
    change(made)
    return made.payload()


def _edited(old: bytes, new: bytes, made: Draft | None = None, count: int = 1) -> bytes:
    payload = (made or draft()).payload()
    assert old in payload
    return payload.replace(old, new, count)


def _with_global(key: str, value: bytes = b"", version: int = 0) -> bytes:
    field = {bytes.fromhex(key): value}
    return _made(lambda made: made.globals.update(field), draft(version=version))


def _with_input(key: str, value: bytes = b"", version: int = 0, lock: str = "P2WPKH") -> bytes:
    field = {bytes.fromhex(key): value}
    return _made(lambda made: made.inputs[0].fields.update(field), draft(lock, version))


def _with_output(key: str, value: bytes = b"", version: int = 0) -> bytes:
    field = {bytes.fromhex(key): value}
    return _made(lambda made: made.outputs[0].fields.update(field), draft(version=version))


def _without_input(key: str, version: int = 0, lock: str = "P2WPKH") -> bytes:
    return _made(lambda made: made.inputs[0].fields.pop(bytes.fromhex(key)), draft(lock, version))


def _cut_input_2(key: str) -> bytes:
    """Leave out a field that version 2 needs, which drafts write by themselves."""
    made = draft(version=2, count=1)
    item = made.inputs[0]
    values = {"0e": item.txid, "0f": number(item.index)}
    return _edited(pair(bytes.fromhex(key), values[key]), b"", made)


def _paying(script: bytes) -> bytes:
    return _made(lambda made: setattr(made.outputs[0], "script", script))


def _spending(script: bytes, witness_script: bytes | None = None, version: int = 0) -> bytes:
    inputs = [spend((script, witness_script), BTC, salt) for salt in (1, 2)]
    return Draft(version, inputs, [Out(BTC, ELSEWHERE)]).payload()


def _mixed(*locks: str) -> bytes:
    inputs = [spend(LOCKS[lock], BTC, salt) for salt, lock in enumerate(locks, 1)]
    return Draft(0, inputs, [Out(BTC, ELSEWHERE)]).payload()


def _lied_amount(made: Draft) -> None:
    made.inputs[1].fields[b"\x01"] = output(2 * BTC, P2WPKH)


def _unproven(made: Draft) -> None:
    for item in made.inputs:
        del item.fields[b"\x00"]


def _wrong_previous(made: Draft) -> None:
    """Give an input the previous transaction of the other, which has the same output."""
    made.inputs[0].fields[b"\x00"] = made.inputs[1].fields[b"\x00"]


def _previous(raw: bytes) -> bytes:
    """Spend from bytes that may be no transaction, under the id that they would have."""
    made = draft()
    made.inputs[0].fields[b"\x00"] = raw
    return made.payload()


def _times(*required: tuple[str, int]) -> bytes:
    made = draft(version=2)
    for item, (key, value) in zip(made.inputs, required, strict=False):
        item.fields[bytes.fromhex(key)] = number(value)
    return made.payload()


RAW = previous([(1, P2TR), (BTC, P2WPKH)], 1)
WITNESSED = previous([(1, P2TR), (BTC, P2WPKH)], 1, witness=True)
RISING = pair(b"\x00", RAW) + pair(b"\x01", output(BTC, P2WPKH))
FALLING = pair(b"\x01", output(BTC, P2WPKH)) + pair(b"\x00", RAW)
NO_PROOF = "lacks its previous transaction"
ORIGIN = bytes(8)

FORM: dict[str, Case] = {
    "empty": (b"", MALFORMED, "is cut short"),
    "magic only": (b"psbt\xff", MALFORMED, "is cut short"),
    "another magic": (_edited(b"psbt", b"PSBT"), MALFORMED, "magic"),
    "no separator": (_edited(b"psbt\xff", b"psbt"), MALFORMED, "magic"),
    "Base64": (b"cHNidP8BAHUCAAAAASaBcTce3", MALFORMED, "magic"),
    "hex": (draft().payload().hex().encode(), MALFORMED, "magic"),
    "a transaction": (RAW, MALFORMED, "magic"),
    "trailing byte": (draft().payload() + b"\0", MALFORMED, "1 bytes follow"),
    "trailing PSBT": (draft().payload() * 2, MALFORMED, "bytes follow"),
    "cut by a byte": (draft().payload()[:-1], MALFORMED, "is cut short"),
    "length of a key in three bytes": (
        _edited(b"psbt\xff\x01", b"psbt\xff\xfd\x01\x00"),
        CANONICAL,
        "too many bytes",
    ),
    "length of a key in five bytes": (
        _edited(b"psbt\xff\x01", b"psbt\xff\xfe\x01\x00\x00\x00"),
        CANONICAL,
        "too many bytes",
    ),
    "length of a key in nine bytes": (
        _edited(b"psbt\xff\x01", b"psbt\xff\xff\x01" + bytes(7)),
        CANONICAL,
        "too many bytes",
    ),
    "length beyond all bytes": (b"psbt\xff\x01\x00\xff" + b"\xff" * 8, MALFORMED, "is cut short"),
    "length without its bytes": (b"psbt\xff\xfd\x01", MALFORMED, "is cut short"),
    "a key twice": (
        _edited(pair(b"\x01", output(BTC, P2WPKH)), pair(b"\x01", output(BTC, P2WPKH)) * 2),
        MALFORMED,
        "twice",
    ),
    "keys that fall": (_edited(RISING, FALLING), CANONICAL, "behind a larger one"),
    "megabytes": (draft().payload() + bytes(MAX_BYTES), Code.PAYLOAD_TOO_LARGE, "at most"),
}

FIELDS: dict[str, Case] = {
    "unknown global": (_with_global("07"), UNSUPPORTED, "0x07 is not known"),
    "unknown global of many bytes": (_with_global("fd0001"), UNSUPPORTED, "0xfd is not known"),
    "proprietary global": (_with_global("fc0141"), UNSUPPORTED, "proprietary"),
    "unknown input": (_with_input("19"), UNSUPPORTED, "0x19 is not known"),
    "proprietary input": (_with_input("fc0141"), UNSUPPORTED, "proprietary"),
    "unknown output": (_with_output("0b"), UNSUPPORTED, "0x0b is not known"),
    "proprietary output": (_with_output("fc0141"), UNSUPPORTED, "proprietary"),
    "no unsigned transaction": (b"psbt\xff\x00", MALFORMED, "lacks the field 0x00"),
    "version 1": (_with_global("fb", number(1)), UNSUPPORTED, "is of version 1"),
    "version 3": (_with_global("fb", number(3), version=2), UNSUPPORTED, "is of version 3"),
    "version 0 spelt out": (_with_global("fb", number(0)), CANONICAL, "leaving it out"),
    "version in one byte": (_with_global("fb", b"\2", version=2), MALFORMED, "of 1 bytes"),
    "version in many bytes": (
        _with_global("fb", b"\xff" * 5000, version=2),
        MALFORMED,
        "of 5000 bytes",
    ),
    "version 0 as version 2": (_with_global("fb", number(2)), UNSUPPORTED, "0x00 does not belong"),
    "transaction in version 2": (
        _with_global("00", draft().transaction(), version=2),
        UNSUPPORTED,
        "0x00 does not belong",
    ),
    **{
        f"global {key} in version 0": (
            _with_global(key, value),
            UNSUPPORTED,
            f"0x{key} does not belong",
        )
        for key, value in {
            "02": number(2),
            "03": number(0),
            "04": b"\2",
            "05": b"\2",
            "06": b"\0",
        }.items()
    },
    **{
        f"input {key} in version 0": (
            _with_input(key, bytes(size)),
            UNSUPPORTED,
            f"0x{key} does not belong",
        )
        for key, size in {"0e": 32, "0f": 4, "10": 4, "11": 4, "12": 4}.items()
    },
    **{
        f"output {key} in version 0": (
            _with_output(key, bytes(size)),
            UNSUPPORTED,
            f"0x{key} does not belong",
        )
        for key, size in {"03": 8, "04": 22}.items()
    },
    "no count of inputs": (
        _edited(pair(b"\x04", b"\2"), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x04",
    ),
    "no count of outputs": (
        _edited(pair(b"\x05", b"\2"), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x05",
    ),
    "no version of the transaction": (
        _edited(pair(b"\x02", number(2)), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x02",
    ),
    "no previous id": (_cut_input_2("0e"), MALFORMED, "lacks the field 0x0e"),
    "no output index": (_cut_input_2("0f"), MALFORMED, "lacks the field 0x0f"),
    "no amount": (
        _edited(pair(b"\x03", number(BTC // 2, 8)), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x03",
    ),
    "no script": (
        _edited(pair(b"\x04", ELSEWHERE), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x04",
    ),
    "count with a byte behind": (_with_global("04", b"\2\0", version=2), MALFORMED, "follow"),
    "count in three bytes": (
        _with_global("04", b"\xfd\2\0", version=2),
        CANONICAL,
        "too many bytes",
    ),
    "empty count": (_with_global("04", b"", version=2), MALFORMED, "cut short"),
    "one input more than there is": (_with_global("04", b"\3", version=2), MALFORMED, ""),
    "one input fewer than there are": (_with_global("04", b"\1", version=2), UNSUPPORTED, ""),
    "no inputs in version 2": (_with_global("04", b"\0", version=2), UNSUPPORTED, "0 inputs"),
    "no outputs in version 2": (_with_global("05", b"\0", version=2), UNSUPPORTED, "0 outputs"),
    "a million outputs": (
        _with_global("05", b"\xfe" + number(10**6), version=2),
        UNSUPPORTED,
        "1000000 outputs",
    ),
    **{
        f"modifiable {flags:#x}": (
            _with_global("06", bytes((flags,)), version=2),
            UNSUPPORTED,
            "may still be changed",
        )
        for flags in (1, 2, 4, 8, 0xFF)
    },
    "modifiable in two bytes": (_with_global("06", bytes(2), version=2), MALFORMED, "MODIFIABLE"),
    "short extended key": (_with_global("01" + "00" * 77, ORIGIN), MALFORMED, "XPUB"),
    "origin of three bytes": (_with_input("06" + KEY.hex(), bytes(3)), MALFORMED, "DERIVATION"),
    "origin without a fingerprint": (_with_input("06" + KEY.hex()), MALFORMED, "DERIVATION"),
    "origin of an uncompressed key": (
        _with_input("0604" + "00" * 64, ORIGIN),
        MALFORMED,
        "DERIVATION",
    ),
    "output's origin of a short key": (
        _with_output("02" + KEY.hex()[:-2], ORIGIN),
        MALFORMED,
        "DERIVATION",
    ),
    "redeem script": (_with_input("04", P2WPKH), UNSUPPORTED, "P2SH"),
    "final script": (_with_input("07", b"\0"), UNSUPPORTED, "signed already"),
    "final witness": (_with_input("08", b"\0"), UNSUPPORTED, "signed already"),
    "proof of reserves": (_with_input("09", b"x"), UNSUPPORTED, "reserves"),
    **{
        f"hash preimage {key}": (_with_input(key + "00" * 20, b"x"), UNSUPPORTED, "hashes")
        for key in ("0a", "0b", "0c", "0d")
    },
    **{
        f"taproot input {key}": (_with_input(key, bytes(32)), UNSUPPORTED, NO_TAPROOT)
        for key in ("13", "14", "15", "16", "17", "18", "1a", "1b", "1c")
    },
    **{
        f"taproot output {key}": (_with_output(key, bytes(32)), UNSUPPORTED, "taproot")
        for key in ("05", "06", "07", "08")
    },
    "another output's redeem script": (_with_output("00", P2WPKH), MALFORMED, "of another output"),
    "another output's witness script": (_with_output("01", SINGLE), MALFORMED, "of another output"),
}

SPENDING: dict[str, Case] = {
    "lying witness UTXO": (_made(_lied_amount), MALFORMED, "denies"),
    "lying script": (
        _made(lambda made: made.inputs[0].fields.update({b"\x01": output(BTC, ELSEWHERE)})),
        MALFORMED,
        "denies",
    ),
    "two inputs, none proven": (_made(_unproven), UNSUPPORTED, NO_PROOF),
    "two inputs, one not proven": (_without_input("00"), UNSUPPORTED, NO_PROOF),
    "two inputs of version 2, one not proven": (_without_input("00", 2), UNSUPPORTED, NO_PROOF),
    "P2WSH beside, not proven": (
        _without_input("00", lock="P2WSH of one key"),
        UNSUPPORTED,
        NO_PROOF,
    ),
    "P2PKH by a witness UTXO": (
        _made(
            lambda made: setattr(made.inputs[0], "fields", {b"\x01": output(BTC, P2PKH)}),
            draft("P2PKH", count=1),
        ),
        UNSUPPORTED,
        "commits to no amount",
    ),
    "nothing of what is spent": (
        _made(lambda made: made.inputs[0].fields.clear()),
        UNSUPPORTED,
        "says nothing",
    ),
    "wrong previous transaction": (_made(_wrong_previous), MALFORMED, "another id"),
    "previous transaction of another salt": (
        _previous(previous([(1, P2TR), (BTC, P2WPKH)], 7)),
        MALFORMED,
        "another id",
    ),
    "index past the outputs": (
        _made(lambda made: setattr(made.inputs[0], "index", 2)),
        MALFORMED,
        "spends output 2",
    ),
    "index of all ones": (
        _made(lambda made: setattr(made.inputs[0], "index", 2**32 - 1)),
        MALFORMED,
        "spends output 4294967295",
    ),
    "another output of the same transaction": (
        _made(lambda made: setattr(made.inputs[0], "index", 0)),
        MALFORMED,
        "denies",
    ),
    "previous transaction cut": (_previous(RAW[:-1]), MALFORMED, "cut short"),
    "previous transaction with a byte behind": (_previous(RAW + b"\0"), MALFORMED, "follow"),
    "previous transaction empty": (_previous(b""), MALFORMED, "cut short"),
    "previous transaction without inputs": (
        _previous(number(2) + b"\0\1" + output(BTC, P2WPKH) + number(0)),
        MALFORMED,
        "",
    ),
    "flag and no witness": (
        _previous(WITNESSED.replace(WITNESSED[-4 - 107 :], b"\0" + bytes(4))),
        CANONICAL,
        "a flag and no witness",
    ),
    "a witness cut short": (_previous(WITNESSED[:-40]), MALFORMED, "cut short"),
    "a witness of more than there is": (
        _previous(WITNESSED[: -4 - 107] + b"\xff" + b"\xff" * 8 + bytes(9)),
        MALFORMED,
        "cut short",
    ),
    "a witness with a long length": (
        _previous(WITNESSED[: -4 - 107] + b"\1\xfd\1\0\0" + bytes(4)),
        CANONICAL,
        "too many bytes",
    ),
    "another flag": (
        _previous(WITNESSED[:4] + b"\0\2" + WITNESSED[6:]),
        UNSUPPORTED,
        "",
    ),
    "more money than there is": (
        _made(
            lambda made: made.inputs[0].fields.update({b"\x01": output(21 * 10**14 + 1, P2WPKH)})
        ),
        MALFORMED,
        "all bitcoin",
    ),
    "negative amount spent": (
        _made(lambda made: made.inputs[0].fields.update({b"\x01": b"\xff" * 8 + b"\0"})),
        MALFORMED,
        "all bitcoin",
    ),
    "witness UTXO with a byte behind": (
        _made(lambda made: made.inputs[0].fields.update({b"\x01": output(BTC, P2WPKH) + b"\0"})),
        MALFORMED,
        "follow",
    ),
    "two addresses": (_mixed("P2WPKH", "P2PKH"), UNSUPPORTED, "several addresses"),
    "somebody else's input beside ours": (
        Draft(
            0,
            [spend(LOCKS["P2WPKH"], BTC, 1), spend((ELSEWHERE, None), 1, 2)],
            [Out(BTC, ELSEWHERE)],
        ).payload(),
        UNSUPPORTED,
        "several addresses",
    ),
    "two multisigs": (
        _mixed("P2WSH of 1 of 2", "P2WSH of 2 of 2"),
        UNSUPPORTED,
        "several addresses",
    ),
    "same input twice": (
        _made(lambda made: made.inputs.__setitem__(1, made.inputs[0])),
        MALFORMED,
        "twice",
    ),
    "same input twice in version 2": (
        _made(lambda made: made.inputs.__setitem__(1, made.inputs[0]), draft(version=2)),
        MALFORMED,
        "twice",
    ),
    "same input with another sequence": (
        _made(lambda made: made.inputs.__setitem__(1, replace(made.inputs[0], sequence=1))),
        MALFORMED,
        "twice",
    ),
    **{
        f"sighash {kind:#x}": (
            _with_input("03", number(kind)),
            UNSUPPORTED,
            "only SIGHASH_ALL",
        )
        for kind in (0, 2, 3, 4, 0x80, 0x81, 0x82, 0x83, 0x101, 2**32 - 1)
    },
    "sighash in one byte": (_with_input("03", b"\1"), MALFORMED, "SIGHASH_TYPE"),
    "P2SH": (_spending(P2SH), UNSUPPORTED, "P2SH is neither"),
    "P2TR": (_spending(P2TR), UNSUPPORTED, NO_TAPROOT),
    "P2TR in version 2": (_spending(P2TR, version=2), UNSUPPORTED, NO_TAPROOT),
    "P2PK": (_spending(SINGLE), UNSUPPORTED, "is neither"),
    "bare multisig": (_spending(TWO_OF_TWO), UNSUPPORTED, "is neither"),
    "anyone can spend": (_spending(b"\x51"), UNSUPPORTED, "is neither"),
    "empty script": (_spending(b""), UNSUPPORTED, "is neither"),
    "later witness version": (_spending(b"\x52\x20" + KEY[1:]), UNSUPPORTED, "is neither"),
    "program of an odd length": (_spending(b"\x00\x15" + bytes(21)), UNSUPPORTED, "is neither"),
    "P2WSH without its script": (
        _without_input("05", lock="P2WSH of one key"),
        MALFORMED,
        "no witness script",
    ),
    "P2WSH with another script": (
        _with_input("05", ONE_OF_TWO, lock="P2WSH of one key"),
        MALFORMED,
        "of another output",
    ),
    "witness script of P2WPKH": (_with_input("05", SINGLE), MALFORMED, "is no P2WSH"),
    "witness script of P2PKH": (
        _with_input("05", SINGLE, lock="P2PKH"),
        MALFORMED,
        "is no P2WSH",
    ),
    **{
        f"witness script: {name}": (_spending(p2wsh(script), script), code, why)
        for name, (script, code, why) in {
            "empty": (b"", UNSUPPORTED, "neither <key>"),
            "anyone": (b"\x51", UNSUPPORTED, "neither <key>"),
            "time lock": (b"\x01\x05\xb2\x75" + SINGLE, UNSUPPORTED, "neither <key>"),
            "code separator": (b"\xab" + SINGLE, UNSUPPORTED, "neither <key>"),
            "verify": (SINGLE[:-1] + b"\xad", UNSUPPORTED, "neither <key>"),
            "none of two": (multisig(0, KEY, OTHER_KEY), UNSUPPORTED, "neither <key>"),
            "three of two": (multisig(3, KEY, OTHER_KEY), UNSUPPORTED, "neither <key>"),
            "none at all": (b"\x51\x50\xae", UNSUPPORTED, "neither <key>"),
            "two, said to be three": (
                ONE_OF_TWO[:-2] + b"\x53\xae",
                UNSUPPORTED,
                "neither <key>",
            ),
            "two, then verify": (ONE_OF_TWO[:-1] + b"\xaf", UNSUPPORTED, "neither <key>"),
            "long pushes": (
                ONE_OF_TWO.replace(b"\x21", b"\x22"),
                UNSUPPORTED,
                "neither <key>",
            ),
            "hybrid key": (b"\x21\x06" + KEY[1:] + b"\xac", MALFORMED, "not compressed"),
            "key of nothing": (multisig(1, KEY, bytes(33)), MALFORMED, "not compressed"),
        }.items()
    },
    "signature in P2WPKH": (
        _with_input("02" + KEY.hex(), b"\x30" + bytes(70) + b"\x01"),
        MALFORMED,
        "does not name",
    ),
    "signature by a stranger": (
        _with_input("0202" + "11" * 32, b"\x30" + bytes(70) + b"\x01", lock="P2WSH of 2 of 2"),
        MALFORMED,
        "does not name",
    ),
    "signature of another sighash": (
        _with_input("02" + OTHER_KEY.hex(), b"\x30" + bytes(70) + b"\x83", lock="P2WSH of 2 of 2"),
        MALFORMED,
        "PARTIAL_SIG",
    ),
    "empty signature": (
        _with_input("02" + OTHER_KEY.hex(), b"", lock="P2WSH of 2 of 2"),
        MALFORMED,
        "PARTIAL_SIG",
    ),
    "time before times": (_times(("11", 499_999_999)), MALFORMED, "requires a time"),
    "height after heights": (_times(("12", 500_000_000)), MALFORMED, "requires a height"),
    "height of nothing": (_times(("12", 0)), MALFORMED, "requires a height"),
    "height beside a time": (
        _times(("12", 5), ("11", 1_700_000_000)),
        MALFORMED,
        "beside an input",
    ),
}

PAYING: dict[str, Case] = {
    "pays more than it spends": (
        _made(lambda made: setattr(made.outputs[0], "amount", 3 * BTC)),
        MALFORMED,
        "more than it spends",
    ),
    "pays all bitcoin and more": (
        _made(lambda made: setattr(made.outputs[0], "amount", 21 * 10**14 + 1)),
        MALFORMED,
        "all bitcoin",
    ),
    "pays all bitcoin and more in version 2": (
        _made(lambda made: setattr(made.outputs[0], "amount", 2**64 - 1), draft(version=2)),
        MALFORMED,
        "all bitcoin",
    ),
    "data": (_paying(b"\x6a\x04data"), UNSUPPORTED, "has no address"),
    "empty script": (_paying(b""), UNSUPPORTED, "has no address"),
    "anyone": (_paying(b"\x51"), UNSUPPORTED, "has no address"),
    "bare key": (_paying(SINGLE), UNSUPPORTED, "has no address"),
    "bare multisig": (_paying(TWO_OF_TWO), UNSUPPORTED, "has no address"),
    "pay to anchor": (_paying(b"\x51\x02\x4e\x73"), UNSUPPORTED, "has no address"),
    "witness version 2": (_paying(b"\x52\x20" + KEY[1:]), UNSUPPORTED, "has no address"),
    "witness version 16": (_paying(b"\x60\x20" + KEY[1:]), UNSUPPORTED, "has no address"),
    "version 0, 21 bytes": (_paying(b"\x00\x15" + bytes(21)), UNSUPPORTED, "has no address"),
    "P2WPKH with a byte behind": (_paying(P2WPKH + b"\0"), UNSUPPORTED, "has no address"),
    "P2PKH with another end": (_paying(P2PKH[:-1] + b"\xad"), UNSUPPORTED, "has no address"),
    "no outputs": (_made(lambda made: made.outputs.clear()), UNSUPPORTED, "no outputs"),
    "no inputs": (_made(lambda made: made.inputs.clear()), UNSUPPORTED, ""),
    "a script in the transaction": (
        _edited(number(1) + b"\x00\xfd\xff", number(1) + b"\x01\x00\xfd\xff"),
        MALFORMED,
        "",
    ),
    "a witness in the transaction": (
        _made(
            lambda made: made.globals.update(
                {b"\0": made.transaction()[:4] + b"\0\1" + made.transaction()[4:]}
            )
        ),
        MALFORMED,
        "",
    ),
    "a byte behind the transaction": (
        _made(lambda made: made.globals.update({b"\0": made.transaction() + b"\0"})),
        MALFORMED,
        "follow",
    ),
    "transaction of version 0": (
        _made(lambda made: setattr(made, "tx_version", 0)),
        UNSUPPORTED,
        "is of version 0",
    ),
    "transaction of a huge version": (
        _made(lambda made: setattr(made, "tx_version", 2**32 - 1)),
        UNSUPPORTED,
        "is of version 4294967295",
    ),
    "101 inputs": (draft(count=101).payload(), UNSUPPORTED, "101 inputs"),
    "501 outputs": (
        _made(lambda made: made.outputs.extend([Out(0, ELSEWHERE)] * 499)),
        UNSUPPORTED,
        "501 outputs",
    ),
}
CASES = {
    f"{family}: {name}": case
    for family, cases in {
        "form": FORM,
        "fields": FIELDS,
        "spending": SPENDING,
        "paying": PAYING,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize(("payload", "code", "why"), CASES.values(), ids=CASES)
def test_ways_round_are_refused(payload: bytes, code: Code, why: str) -> None:
    """Each way round has its reason, and the reason says what is wrong."""
    with pytest.raises(PayloadError) as caught:
        decode(TAG, payload)
    reason = caught.value.reason
    assert (reason.code, why in reason.detail) == (code, True), reason


def test_every_cut_is_refused() -> None:
    """No beginning of a PSBT is one."""
    for payload in (draft().payload(), draft("P2WSH of 2 of 2", 2).payload()):
        for end in range(len(payload)):
            with pytest.raises(PayloadError):
                decode(TAG, payload[:end])


def test_as_many_as_are_taken() -> None:
    """The bounds on inputs and outputs are exact."""
    assert len(decode(TAG, draft(count=100).payload()).further) == 99
    made = draft()
    made.outputs += [Out(0, ELSEWHERE)] * 498
    assert len(decode(TAG, made.payload()).facts.transfers) == 500


def test_an_id_is_of_the_network() -> None:
    """The drafts' previous transactions have the ids that their inputs name."""
    assert txid(RAW) == draft().inputs[0].txid
    assert txid(RAW) != txid(WITNESSED)
