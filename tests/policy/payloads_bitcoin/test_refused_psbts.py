"""The ways round a limit by a PSBT's form and fields, each refused with its reason."""

import pytest

from policy.payloads import MAX_BYTES, decode
from policy.payloads.bitcoin import TAG
from policy.payloads.bitcoin.script import NO_TAPROOT
from policy.reasons import Code, PayloadError
from tests.policy.payloads_bitcoin.damage import (
    RAW,
    WITNESSED,
    cut_input_2,
    edited,
    with_global,
    with_input,
    with_output,
)
from tests.policy.payloads_bitcoin.drafts import (
    BTC,
    ELSEWHERE,
    KEY,
    P2WPKH,
    SINGLE,
    Out,
    draft,
    number,
    output,
    pair,
    txid,
)

MALFORMED, CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
UNSUPPORTED = Code.PAYLOAD_UNSUPPORTED
Case = tuple[bytes, Code, str]
RISING = pair(b"\x00", RAW) + pair(b"\x01", output(BTC, P2WPKH))
FALLING = pair(b"\x01", output(BTC, P2WPKH)) + pair(b"\x00", RAW)
ORIGIN = bytes(8)
FORM: dict[str, Case] = {
    "empty": (b"", MALFORMED, "is cut short"),
    "magic only": (b"psbt\xff", MALFORMED, "is cut short"),
    "another magic": (edited(b"psbt", b"PSBT"), MALFORMED, "magic"),
    "no separator": (edited(b"psbt\xff", b"psbt"), MALFORMED, "magic"),
    "Base64": (b"cHNidP8BAHUCAAAAASaBcTce3", MALFORMED, "magic"),
    "hex": (draft().payload().hex().encode(), MALFORMED, "magic"),
    "a transaction": (RAW, MALFORMED, "magic"),
    "trailing byte": (draft().payload() + b"\0", MALFORMED, "1 bytes follow"),
    "trailing PSBT": (draft().payload() * 2, MALFORMED, "bytes follow"),
    "cut by a byte": (draft().payload()[:-1], MALFORMED, "is cut short"),
    "length of a key in three bytes": (
        edited(b"psbt\xff\x01", b"psbt\xff\xfd\x01\x00"),
        CANONICAL,
        "too many bytes",
    ),
    "length of a key in five bytes": (
        edited(b"psbt\xff\x01", b"psbt\xff\xfe\x01\x00\x00\x00"),
        CANONICAL,
        "too many bytes",
    ),
    "length of a key in nine bytes": (
        edited(b"psbt\xff\x01", b"psbt\xff\xff\x01" + bytes(7)),
        CANONICAL,
        "too many bytes",
    ),
    "length beyond all bytes": (b"psbt\xff\x01\x00\xff" + b"\xff" * 8, MALFORMED, "is cut short"),
    "length without its bytes": (b"psbt\xff\xfd\x01", MALFORMED, "is cut short"),
    "a key twice": (
        edited(pair(b"\x01", output(BTC, P2WPKH)), pair(b"\x01", output(BTC, P2WPKH)) * 2),
        MALFORMED,
        "twice",
    ),
    "keys that fall": (edited(RISING, FALLING), CANONICAL, "behind a larger one"),
    "megabytes": (draft().payload() + bytes(MAX_BYTES), Code.PAYLOAD_TOO_LARGE, "at most"),
}
FIELDS: dict[str, Case] = {
    "unknown global": (with_global("07"), UNSUPPORTED, "0x07 is not known"),
    "unknown global of many bytes": (with_global("fd0001"), UNSUPPORTED, "0xfd is not known"),
    "proprietary global": (with_global("fc0141"), UNSUPPORTED, "proprietary"),
    "unknown input": (with_input("19"), UNSUPPORTED, "0x19 is not known"),
    "proprietary input": (with_input("fc0141"), UNSUPPORTED, "proprietary"),
    "unknown output": (with_output("0b"), UNSUPPORTED, "0x0b is not known"),
    "proprietary output": (with_output("fc0141"), UNSUPPORTED, "proprietary"),
    "no unsigned transaction": (b"psbt\xff\x00", MALFORMED, "lacks the field 0x00"),
    "version 1": (with_global("fb", number(1)), UNSUPPORTED, "is of version 1"),
    "version 3": (with_global("fb", number(3), version=2), UNSUPPORTED, "is of version 3"),
    "version 0 spelt out": (with_global("fb", number(0)), CANONICAL, "leaving it out"),
    "version in one byte": (with_global("fb", b"\2", version=2), MALFORMED, "of 1 bytes"),
    "version in many bytes": (
        with_global("fb", b"\xff" * 5000, version=2),
        MALFORMED,
        "of 5000 bytes",
    ),
    "version 0 as version 2": (with_global("fb", number(2)), UNSUPPORTED, "0x00 does not belong"),
    "transaction in version 2": (
        with_global("00", draft().transaction(), version=2),
        UNSUPPORTED,
        "0x00 does not belong",
    ),
    **{
        f"global {key} in version 0": (
            with_global(key, value),
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
            with_input(key, bytes(size)),
            UNSUPPORTED,
            f"0x{key} does not belong",
        )
        for key, size in {"0e": 32, "0f": 4, "10": 4, "11": 4, "12": 4}.items()
    },
    **{
        f"output {key} in version 0": (
            with_output(key, bytes(size)),
            UNSUPPORTED,
            f"0x{key} does not belong",
        )
        for key, size in {"03": 8, "04": 22}.items()
    },
    "no count of inputs": (
        edited(pair(b"\x04", b"\2"), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x04",
    ),
    "no count of outputs": (
        edited(pair(b"\x05", b"\2"), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x05",
    ),
    "no version of the transaction": (
        edited(pair(b"\x02", number(2)), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x02",
    ),
    "no previous id": (cut_input_2("0e"), MALFORMED, "lacks the field 0x0e"),
    "no output index": (cut_input_2("0f"), MALFORMED, "lacks the field 0x0f"),
    "no amount": (
        edited(pair(b"\x03", number(BTC // 2, 8)), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x03",
    ),
    "no script": (
        edited(pair(b"\x04", ELSEWHERE), b"", draft(version=2)),
        MALFORMED,
        "lacks the field 0x04",
    ),
    "count with a byte behind": (with_global("04", b"\2\0", version=2), MALFORMED, "follow"),
    "count in three bytes": (
        with_global("04", b"\xfd\2\0", version=2),
        CANONICAL,
        "too many bytes",
    ),
    "empty count": (with_global("04", b"", version=2), MALFORMED, "cut short"),
    "one input more than there is": (with_global("04", b"\3", version=2), MALFORMED, ""),
    "one input fewer than there are": (with_global("04", b"\1", version=2), UNSUPPORTED, ""),
    "no inputs in version 2": (with_global("04", b"\0", version=2), UNSUPPORTED, "0 inputs"),
    "no outputs in version 2": (with_global("05", b"\0", version=2), UNSUPPORTED, "0 outputs"),
    "a million outputs": (
        with_global("05", b"\xfe" + number(10**6), version=2),
        UNSUPPORTED,
        "1000000 outputs",
    ),
    **{
        f"modifiable {flags:#x}": (
            with_global("06", bytes((flags,)), version=2),
            UNSUPPORTED,
            "may still be changed",
        )
        for flags in (1, 2, 4, 8, 0xFF)
    },
    "modifiable in two bytes": (with_global("06", bytes(2), version=2), MALFORMED, "MODIFIABLE"),
    "short extended key": (with_global("01" + "00" * 77, ORIGIN), MALFORMED, "XPUB"),
    "origin of three bytes": (with_input("06" + KEY.hex(), bytes(3)), MALFORMED, "DERIVATION"),
    "origin without a fingerprint": (with_input("06" + KEY.hex()), MALFORMED, "DERIVATION"),
    "origin of an uncompressed key": (
        with_input("0604" + "00" * 64, ORIGIN),
        MALFORMED,
        "DERIVATION",
    ),
    "output's origin of a short key": (
        with_output("02" + KEY.hex()[:-2], ORIGIN),
        MALFORMED,
        "DERIVATION",
    ),
    "redeem script": (with_input("04", P2WPKH), UNSUPPORTED, "P2SH"),
    "final script": (with_input("07", b"\0"), UNSUPPORTED, "signed already"),
    "final witness": (with_input("08", b"\0"), UNSUPPORTED, "signed already"),
    "proof of reserves": (with_input("09", b"x"), UNSUPPORTED, "reserves"),
    **{
        f"hash preimage {key}": (with_input(key + "00" * 20, b"x"), UNSUPPORTED, "hashes")
        for key in ("0a", "0b", "0c", "0d")
    },
    **{
        f"taproot input {key}": (with_input(key, bytes(32)), UNSUPPORTED, NO_TAPROOT)
        for key in ("13", "14", "15", "16", "17", "18", "1a", "1b", "1c")
    },
    **{
        f"taproot output {key}": (with_output(key, bytes(32)), UNSUPPORTED, "taproot")
        for key in ("05", "06", "07", "08")
    },
    "another output's redeem script": (with_output("00", P2WPKH), MALFORMED, "of another output"),
    "another output's witness script": (with_output("01", SINGLE), MALFORMED, "of another output"),
}
CASES = {
    f"{family}: {name}": case
    for family, cases in {"form": FORM, "fields": FIELDS}.items()
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
