"""The ways round a limit by what a PSBT spends and pays, each refused with its reason."""

from dataclasses import replace

import pytest

from policy.payloads import decode
from policy.payloads.bitcoin import TAG
from policy.payloads.bitcoin.script import NO_TAPROOT
from policy.reasons import Code, PayloadError
from tests.policy.payloads_bitcoin.damage import (
    RAW,
    WITNESSED,
    changed,
    edited,
    lied_amount,
    mixed,
    paying,
    required,
    spending,
    spending_from,
    unproven,
    with_input,
    without_input,
    wrong_previous,
)
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
    previous,
    spend,
)

MALFORMED, CANONICAL = Code.PAYLOAD_MALFORMED, Code.PAYLOAD_NOT_CANONICAL
UNSUPPORTED = Code.PAYLOAD_UNSUPPORTED
Case = tuple[bytes, Code, str]
NO_PROOF = "lacks its previous transaction"
SPENDING: dict[str, Case] = {
    "lying witness UTXO": (changed(lied_amount), MALFORMED, "denies"),
    "lying script": (
        changed(lambda made: made.inputs[0].fields.update({b"\x01": output(BTC, ELSEWHERE)})),
        MALFORMED,
        "denies",
    ),
    "two inputs, none proven": (changed(unproven), UNSUPPORTED, NO_PROOF),
    "two inputs, one not proven": (without_input("00"), UNSUPPORTED, NO_PROOF),
    "two inputs of version 2, one not proven": (without_input("00", 2), UNSUPPORTED, NO_PROOF),
    "P2WSH beside, not proven": (
        without_input("00", lock="P2WSH of one key"),
        UNSUPPORTED,
        NO_PROOF,
    ),
    "P2PKH by a witness UTXO": (
        changed(
            lambda made: setattr(made.inputs[0], "fields", {b"\x01": output(BTC, P2PKH)}),
            draft("P2PKH", count=1),
        ),
        UNSUPPORTED,
        "commits to no amount",
    ),
    "nothing of what is spent": (
        changed(lambda made: made.inputs[0].fields.clear()),
        UNSUPPORTED,
        "says nothing",
    ),
    "wrong previous transaction": (changed(wrong_previous), MALFORMED, "another id"),
    "previous transaction of another salt": (
        spending_from(previous([(1, P2TR), (BTC, P2WPKH)], 7)),
        MALFORMED,
        "another id",
    ),
    "index past the outputs": (
        changed(lambda made: setattr(made.inputs[0], "index", 2)),
        MALFORMED,
        "spends output 2",
    ),
    "index of all ones": (
        changed(lambda made: setattr(made.inputs[0], "index", 2**32 - 1)),
        MALFORMED,
        "spends output 4294967295",
    ),
    "another output of the same transaction": (
        changed(lambda made: setattr(made.inputs[0], "index", 0)),
        MALFORMED,
        "denies",
    ),
    "previous transaction cut": (spending_from(RAW[:-1]), MALFORMED, "cut short"),
    "previous transaction with a byte behind": (spending_from(RAW + b"\0"), MALFORMED, "follow"),
    "previous transaction empty": (spending_from(b""), MALFORMED, "cut short"),
    "previous transaction without inputs": (
        spending_from(number(2) + b"\0\1" + output(BTC, P2WPKH) + number(0)),
        MALFORMED,
        "",
    ),
    "flag and no witness": (
        spending_from(WITNESSED.replace(WITNESSED[-4 - 107 :], b"\0" + bytes(4))),
        CANONICAL,
        "a flag and no witness",
    ),
    "a witness cut short": (spending_from(WITNESSED[:-40]), MALFORMED, "cut short"),
    "a witness of more than there is": (
        spending_from(WITNESSED[: -4 - 107] + b"\xff" + b"\xff" * 8 + bytes(9)),
        MALFORMED,
        "cut short",
    ),
    "a witness with a long length": (
        spending_from(WITNESSED[: -4 - 107] + b"\1\xfd\1\0\0" + bytes(4)),
        CANONICAL,
        "too many bytes",
    ),
    "another flag": (
        spending_from(WITNESSED[:4] + b"\0\2" + WITNESSED[6:]),
        UNSUPPORTED,
        "",
    ),
    "more money than there is": (
        changed(
            lambda made: made.inputs[0].fields.update({b"\x01": output(21 * 10**14 + 1, P2WPKH)})
        ),
        MALFORMED,
        "all bitcoin",
    ),
    "negative amount spent": (
        changed(lambda made: made.inputs[0].fields.update({b"\x01": b"\xff" * 8 + b"\0"})),
        MALFORMED,
        "all bitcoin",
    ),
    "witness UTXO with a byte behind": (
        changed(lambda made: made.inputs[0].fields.update({b"\x01": output(BTC, P2WPKH) + b"\0"})),
        MALFORMED,
        "follow",
    ),
    "two addresses": (mixed("P2WPKH", "P2PKH"), UNSUPPORTED, "several addresses"),
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
        mixed("P2WSH of 1 of 2", "P2WSH of 2 of 2"),
        UNSUPPORTED,
        "several addresses",
    ),
    "same input twice": (
        changed(lambda made: made.inputs.__setitem__(1, made.inputs[0])),
        MALFORMED,
        "twice",
    ),
    "same input twice in version 2": (
        changed(lambda made: made.inputs.__setitem__(1, made.inputs[0]), draft(version=2)),
        MALFORMED,
        "twice",
    ),
    "same input with another sequence": (
        changed(lambda made: made.inputs.__setitem__(1, replace(made.inputs[0], sequence=1))),
        MALFORMED,
        "twice",
    ),
    **{
        f"sighash {kind:#x}": (
            with_input("03", number(kind)),
            UNSUPPORTED,
            "only SIGHASH_ALL",
        )
        for kind in (0, 2, 3, 4, 0x80, 0x81, 0x82, 0x83, 0x101, 2**32 - 1)
    },
    "sighash in one byte": (with_input("03", b"\1"), MALFORMED, "SIGHASH_TYPE"),
    "P2SH": (spending(P2SH), UNSUPPORTED, "P2SH is neither"),
    "P2TR": (spending(P2TR), UNSUPPORTED, NO_TAPROOT),
    "P2TR in version 2": (spending(P2TR, version=2), UNSUPPORTED, NO_TAPROOT),
    "P2PK": (spending(SINGLE), UNSUPPORTED, "is neither"),
    "bare multisig": (spending(TWO_OF_TWO), UNSUPPORTED, "is neither"),
    "anyone can spend": (spending(b"\x51"), UNSUPPORTED, "is neither"),
    "empty script": (spending(b""), UNSUPPORTED, "is neither"),
    "later witness version": (spending(b"\x52\x20" + KEY[1:]), UNSUPPORTED, "is neither"),
    "program of an odd length": (spending(b"\x00\x15" + bytes(21)), UNSUPPORTED, "is neither"),
    "P2WSH without its script": (
        without_input("05", lock="P2WSH of one key"),
        MALFORMED,
        "no witness script",
    ),
    "P2WSH with another script": (
        with_input("05", ONE_OF_TWO, lock="P2WSH of one key"),
        MALFORMED,
        "of another output",
    ),
    "witness script of P2WPKH": (with_input("05", SINGLE), MALFORMED, "is no P2WSH"),
    "witness script of P2PKH": (
        with_input("05", SINGLE, lock="P2PKH"),
        MALFORMED,
        "is no P2WSH",
    ),
    **{
        f"witness script: {name}": (spending(p2wsh(script), script), code, why)
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
        with_input("02" + KEY.hex(), b"\x30" + bytes(70) + b"\x01"),
        MALFORMED,
        "does not name",
    ),
    "signature by a stranger": (
        with_input("0202" + "11" * 32, b"\x30" + bytes(70) + b"\x01", lock="P2WSH of 2 of 2"),
        MALFORMED,
        "does not name",
    ),
    "signature of another sighash": (
        with_input("02" + OTHER_KEY.hex(), b"\x30" + bytes(70) + b"\x83", lock="P2WSH of 2 of 2"),
        MALFORMED,
        "PARTIAL_SIG",
    ),
    "empty signature": (
        with_input("02" + OTHER_KEY.hex(), b"", lock="P2WSH of 2 of 2"),
        MALFORMED,
        "PARTIAL_SIG",
    ),
    "time before times": (required(("11", 499_999_999)), MALFORMED, "requires a time"),
    "height after heights": (required(("12", 500_000_000)), MALFORMED, "requires a height"),
    "height of nothing": (required(("12", 0)), MALFORMED, "requires a height"),
    "height beside a time": (
        required(("12", 5), ("11", 1_700_000_000)),
        MALFORMED,
        "beside an input",
    ),
}
PAYING: dict[str, Case] = {
    "pays more than it spends": (
        changed(lambda made: setattr(made.outputs[0], "amount", 3 * BTC)),
        MALFORMED,
        "more than it spends",
    ),
    "pays all bitcoin and more": (
        changed(lambda made: setattr(made.outputs[0], "amount", 21 * 10**14 + 1)),
        MALFORMED,
        "all bitcoin",
    ),
    "pays all bitcoin and more in version 2": (
        changed(lambda made: setattr(made.outputs[0], "amount", 2**64 - 1), draft(version=2)),
        MALFORMED,
        "all bitcoin",
    ),
    "data": (paying(b"\x6a\x04data"), UNSUPPORTED, "has no address"),
    "empty script": (paying(b""), UNSUPPORTED, "has no address"),
    "anyone": (paying(b"\x51"), UNSUPPORTED, "has no address"),
    "bare key": (paying(SINGLE), UNSUPPORTED, "has no address"),
    "bare multisig": (paying(TWO_OF_TWO), UNSUPPORTED, "has no address"),
    "pay to anchor": (paying(b"\x51\x02\x4e\x73"), UNSUPPORTED, "has no address"),
    "witness version 2": (paying(b"\x52\x20" + KEY[1:]), UNSUPPORTED, "has no address"),
    "witness version 16": (paying(b"\x60\x20" + KEY[1:]), UNSUPPORTED, "has no address"),
    "version 0, 21 bytes": (paying(b"\x00\x15" + bytes(21)), UNSUPPORTED, "has no address"),
    "P2WPKH with a byte behind": (paying(P2WPKH + b"\0"), UNSUPPORTED, "has no address"),
    "P2PKH with another end": (paying(P2PKH[:-1] + b"\xad"), UNSUPPORTED, "has no address"),
    "no outputs": (changed(lambda made: made.outputs.clear()), UNSUPPORTED, "no outputs"),
    "no inputs": (changed(lambda made: made.inputs.clear()), UNSUPPORTED, ""),
    "a script in the transaction": (
        edited(number(1) + b"\x00\xfd\xff", number(1) + b"\x01\x00\xfd\xff"),
        MALFORMED,
        "",
    ),
    "a witness in the transaction": (
        changed(
            lambda made: made.globals.update(
                {b"\0": made.transaction()[:4] + b"\0\1" + made.transaction()[4:]}
            )
        ),
        MALFORMED,
        "",
    ),
    "a byte behind the transaction": (
        changed(lambda made: made.globals.update({b"\0": made.transaction() + b"\0"})),
        MALFORMED,
        "follow",
    ),
    "transaction of version 0": (
        changed(lambda made: setattr(made, "tx_version", 0)),
        UNSUPPORTED,
        "is of version 0",
    ),
    "transaction of a huge version": (
        changed(lambda made: setattr(made, "tx_version", 2**32 - 1)),
        UNSUPPORTED,
        "is of version 4294967295",
    ),
    "101 inputs": (draft(count=101).payload(), UNSUPPORTED, "101 inputs"),
    "501 outputs": (
        changed(lambda made: made.outputs.extend([Out(0, ELSEWHERE)] * 499)),
        UNSUPPORTED,
        "501 outputs",
    ),
}
CASES = {
    f"{family}: {name}": case
    for family, cases in {"spending": SPENDING, "paying": PAYING}.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize(("payload", "code", "why"), CASES.values(), ids=CASES)
def test_ways_round_are_refused(payload: bytes, code: Code, why: str) -> None:
    """Each way round has its reason, and the reason says what is wrong."""
    with pytest.raises(PayloadError) as caught:
        decode(TAG, payload)
    reason = caught.value.reason
    assert (reason.code, why in reason.detail) == (code, True), reason
