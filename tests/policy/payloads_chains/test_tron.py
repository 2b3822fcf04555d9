"""TRON transactions: real ones are read, the ways round are refused."""

import hashlib

import pytest
from coincurve import PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.keccak import keccak256
from policy.model import Facts, Role, Transfer
from policy.payloads import decode
from policy.payloads.protobuf import encode
from policy.payloads.tron import TAG, address
from policy.reasons import Code, PayloadError

CHAIN = "tron:0x2b6653dc"
TRX = f"TRX@{CHAIN}"

# A transaction of the main network, with its published id and signature.
REAL = bytes.fromhex(
    "0a02fdf622084cd898aed8ce5d1440f0d2ccf1fd315a65080112610a2d747970652e676f6f676c65617069732e63"
    "6f6d2f70726f746f636f6c2e5472616e73666572436f6e747261637412300a15419b3281a60ab7a44f351ef2896c"
    "653f134972ad2212154105cc125604448afeb6867eb688efb7e80411d57a1805709c91c9f1fd31"
)
REAL_ID = "47086db397eac45d2fe7dacedcb6f77267d6895dce645210e495e64f8a2a7910"
REAL_SIGNATURE = bytes.fromhex(
    "c1c0b1ad18f56248ebc6820c611cd65683cef6b5deed8002246cc00df7e79f9f"
    "73d48c35b8c2e41694ef23c8020ab8c578c0aa57b7e079683f322e45c88b0e0700"
)
# A transfer of USDT, as a node built it.
TOKEN = bytes.fromhex(
    "0a02f9f522081bc31384699eb1964080d5ebb88e345aae01081f12a9010a31747970652e676f6f676c65617069732e"
    "636f6d2f70726f746f636f6c2e54726967676572536d617274436f6e747261637412740a154189cbcb2372e1c2fbc0"
    "0f24895a406a0c722c89f3121541a614f803b6fd780986a42c78ec9c7f77e6ded13c2244a9059cbb00000000000000"
    "000000000082dd6b9966724ae2fdc79b416c7588da67ff1b3500000000000000000000000000000000000000000000"
    "000000000000000f424070a089e8b88e34900180c2d72f"
)
OWNER, TO, USDT = (
    bytes.fromhex("41" + tail)
    for tail in (
        "89cbcb2372e1c2fbc00f24895a406a0c722c89f3",
        "82dd6b9966724ae2fdc79b416c7588da67ff1b35",
        "a614f803b6fd780986a42c78ec9c7f77e6ded13c",
    )
)
URL = b"type.googleapis.com/protocol."
ZEROS = bytes(12)


def _raw(
    contract: bytes | None = None,
    *,
    kind: int = 1,
    name: bytes = b"TransferContract",
    wrapper: dict[int, int | bytes] | None = None,
    **fields: int | bytes,
) -> bytes:
    """Build a raw message; ``f8=0`` leaves field 8 out."""
    inner = encode({1: OWNER, 2: TO, 3: 5}) if contract is None else contract
    parameter = encode({1: URL + name, 2: inner})
    outer: dict[int, int | bytes] = {
        1: b"\xf9\xf5",
        4: bytes(range(1, 9)),
        8: 1_717_419_846_999,
        11: encode({1: kind, 2: parameter, **(wrapper or {})}),
        14: 1_717_419_788_444,
    }
    return encode(outer | {int(name[1:]): value for name, value in fields.items()})


def _call(data: bytes, **fields: int | bytes) -> bytes:
    contract: dict[int, int | bytes] = {1: OWNER, 2: USDT, 4: data}
    contract |= {int(name[1:]): value for name, value in fields.items()}
    return _raw(encode(contract), kind=31, name=b"TriggerSmartContract", f18=10)


def _erc20(selector: str, *words: bytes) -> bytes:
    return bytes.fromhex(selector) + b"".join(word.rjust(32, b"\0") for word in words)


TRANSFER = _erc20("a9059cbb", TO[1:], b"\1")
ACCEPTED = (REAL, TOKEN, _raw(), _call(_erc20("095ea7b3", TO[1:], b"\5")))


def test_a_real_transfer_is_read() -> None:
    """The payload's hash is the published id, and who signed it is its owner."""
    decoded = decode(TAG, REAL)
    assert hashlib.sha256(decoded.message).hexdigest() == REAL_ID
    signer = PublicKey.from_signature_and_message(REAL_SIGNATURE, decoded.message)
    account = b"\x41" + keccak256(signer.format(compressed=False)[1:])[-20:]
    assert decoded.facts.source == address(account, "here")
    destination = address(bytes.fromhex("4105cc125604448afeb6867eb688efb7e80411d57a"), "here")
    assert decoded.facts == Facts(
        "tron.transfer",
        (
            Transfer(TRX, 5, destination, decimals=6),
            Transfer(TRX, 1000 * (len(REAL) + 69) + 1_100_000, None, Role.FEE, 6),
        ),
        source=decoded.facts.source,
        expires_at=1_717_419_846,
    )


def test_a_token_transfer_is_read() -> None:
    """A token is named by its contract; the fee limit is spending."""
    facts = decode(TAG, TOKEN).facts
    moved, fee = facts.transfers
    assert facts.action == "trc20.transfer"
    assert moved == Transfer(
        f"{CHAIN}/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", 1_000_000, address(TO, "here")
    )
    assert fee.amount == 100_000_000 + 1000 * (len(TOKEN) + 69) + 1_100_000
    assert facts.source == address(OWNER, "here")


def test_an_approval_is_an_allowance() -> None:
    """An approval counts as spent, whoever spends it."""
    facts = decode(TAG, _call(_erc20("095ea7b3", TO[1:], b"\xff" * 32))).facts
    assert facts.action == "trc20.approve"
    assert facts.transfers[0].role is Role.ALLOWANCE
    assert facts.transfers[0].amount == 2**256 - 1


HOSTILE = {
    "empty": (b"", Code.PAYLOAD_MALFORMED),
    "trailing byte": (REAL + b"\0", Code.PAYLOAD_UNSUPPORTED),
    "too long": (_call(TRANSFER + bytes(1024)), Code.PAYLOAD_TOO_LARGE),
    "memo": (_raw(f10=b"hi"), Code.PAYLOAD_UNSUPPORTED),
    "scripts": (_raw(f12=b"hi"), Code.PAYLOAD_UNSUPPORTED),
    "authorities": (_raw(f9=b"hi"), Code.PAYLOAD_UNSUPPORTED),
    "two contracts": (REAL[:20] + REAL[20:123] + REAL[20:], Code.PAYLOAD_NOT_CANONICAL),
    "no expiry": (_raw(f8=0), Code.PAYLOAD_MALFORMED),
    "no block": (_raw(f1=b""), Code.PAYLOAD_MALFORMED),
    "long block": (_raw(f1=b"\1\2\3"), Code.PAYLOAD_MALFORMED),
    "short block hash": (_raw(f4=b"\1\2\3"), Code.PAYLOAD_MALFORMED),
    "no contract": (_raw(f11=b""), Code.PAYLOAD_UNSUPPORTED),
    "another permission": (_raw(wrapper={5: 2}), Code.PAYLOAD_UNSUPPORTED),
    "provider": (_raw(wrapper={3: b"x"}), Code.PAYLOAD_UNSUPPORTED),
    "another message": (_raw(name=b"TransferAssetContract"), Code.PAYLOAD_MALFORMED),
    "type and message differ": (_raw(kind=31), Code.PAYLOAD_MALFORMED),
    "no owner": (_raw(encode({2: TO, 3: 5})), Code.PAYLOAD_MALFORMED),
    "no destination": (_raw(encode({1: OWNER, 3: 5})), Code.PAYLOAD_MALFORMED),
    "short address": (_raw(encode({1: OWNER, 2: TO[:20], 3: 5})), Code.PAYLOAD_MALFORMED),
    "address of another network": (
        _raw(encode({1: OWNER, 2: b"\xa0" + TO[1:], 3: 5})),
        Code.PAYLOAD_MALFORMED,
    ),
    "value beside a call": (_call(TRANSFER, f3=1), Code.PAYLOAD_UNSUPPORTED),
    "token beside a call": (_call(TRANSFER, f5=1), Code.PAYLOAD_UNSUPPORTED),
    "no data": (_call(b""), Code.PAYLOAD_UNSUPPORTED),
    "unknown method": (_call(_erc20("deadbeef", TO, b"\1")), Code.PAYLOAD_UNSUPPORTED),
    "third account": (
        _call(_erc20("23b872dd", OWNER[1:], TO[1:], b"\1")),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "prefix within calldata": (_call(_erc20("a9059cbb", TO, b"\1")), Code.PAYLOAD_NOT_CANONICAL),
    "short calldata": (_call(TRANSFER[:-1]), Code.PAYLOAD_MALFORMED),
    "long calldata": (_call(TRANSFER + b"\0"), Code.PAYLOAD_MALFORMED),
    **{
        f"contract {kind}": (_raw(kind=kind), Code.PAYLOAD_UNSUPPORTED)
        # assets, votes, creation, freezing, delegation, permissions, …
        for kind in (2, 4, 6, 11, 12, 13, 30, 41, 44, 46, 54, 57, 99)
    },
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(payload: bytes, code: Code) -> None:
    """Each way round has its reason."""
    with pytest.raises(PayloadError) as caught:
        decode(TAG, payload)
    assert caught.value.reason.code is code


@settings(deadline=None)
@given(st.sampled_from([REAL, TOKEN, _raw()]), st.data())
def test_any_bytes(payload: bytes, data: st.DataObject) -> None:
    """Any bytes give facts or the one error, and two payloads never the same message."""
    at = data.draw(st.integers(0, len(payload)))
    cut = data.draw(st.integers(0, 2))
    changed = payload[:at] + data.draw(st.binary(max_size=2)) + payload[at + cut :]
    try:
        decoded = decode(TAG, changed)
    except PayloadError:
        return
    assert decoded.message == changed


@pytest.mark.parametrize("payload", [REAL, TOKEN])
def test_every_cut_is_refused(payload: bytes) -> None:
    """No beginning of a transaction is one, unless only what is optional is left out."""
    end = payload.index(b"\x70", -16 if payload is TOKEN else -8)
    for cut in range(end):
        with pytest.raises(PayloadError):
            decode(TAG, payload[:cut])
