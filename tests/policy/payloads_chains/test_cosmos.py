"""Cosmos sign documents: published ones in their one encoding, and the ways round."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Facts, Role, Transfer
from policy.payloads import decode
from policy.payloads.cosmos import TAG
from policy.payloads.protobuf import encode
from policy.reasons import Code, PayloadError

Fields = dict[int, int | bytes]

FROM, TO = (
    b"cosmos1pkptre7fdkl6gfrzlesjjvhxhlc3r4gmmk8rs6",
    b"cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu",
)
SEND_URL, KEY_URL = b"/cosmos.bank.v1beta1.MsgSend", b"/cosmos.crypto.secp256k1.PubKey"
POINT = bytes.fromhex("034f04181eeba35391b858633a765c4a0c189697b40d216354d50890d350c70290")
COIN: Fields = {1: b"ucosm", 2: b"1234567"}

# The body and the whole document that a widely used library published.
PUBLISHED_BODY = bytes.fromhex(
    "0a90010a1c2f636f736d6f732e62616e6b2e763162657461312e4d736753656e6412700a2d636f736d6f7331706b70"
    "7472653766646b6c366766727a6c65736a6a766878686c63337234676d6d6b38727336122d636f736d6f7331717970"
    "717870713971637273737a673270767871367273307a716733797963356c7a763778751a100a0575636f736d120731"
    "323334353637"
)
PUBLISHED = bytes.fromhex(
    "0a97010a90010a1c2f636f736d6f732e62616e6b2e763162657461312e4d736753656e6412700a2d636f736d6f7331"
    "706b707472653766646b6c366766727a6c65736a6a766878686c63337234676d6d6b38727336122d636f736d6f7331"
    "717970717870713971637273737a673270767871367273307a716733797963356c7a763778751a100a0575636f736d"
    "12073132333435363712001800126b0a500a460a1f2f636f736d6f732e63727970746f2e736563703235366b312e50"
    "75624b657912230a21034f04181eeba35391b858633a765c4a0c189697b40d216354d50890d350c7029012040a0208"
    "01180112170a0d0a0575636f736d12043230303010c09a0c1a0022001a0c73696d642d74657374696e672001"
)


def _send(changes: Fields | None = None, url: bytes = SEND_URL) -> bytes:
    return encode({1: url, 2: encode({1: FROM, 2: TO, 3: encode(COIN)} | (changes or {}))})


def _body(changes: Fields | None = None) -> bytes:
    return encode({1: _send()} | (changes or {}))


def _signer(changes: Fields | None = None, url: bytes = KEY_URL, point: bytes = POINT) -> bytes:
    key = encode({1: url, 2: encode({1: point})})
    signer: Fields = {1: key, 2: bytes((10, 2, 8, 1)), 3: 1}
    return encode(signer | (changes or {}))


def _fee(changes: Fields | None = None) -> bytes:
    fee: Fields = {1: encode({1: b"ucosm", 2: b"2000"}), 2: 200_000}
    return encode(fee | (changes or {}))


def _auth(changes: Fields | None = None) -> bytes:
    return encode({1: _signer(), 2: _fee()} | (changes or {}))


def _document(changes: Fields | None = None) -> bytes:
    whole: Fields = {1: _body(), 2: _auth(), 3: b"simd-testing", 4: 1}
    return encode(whole | (changes or {}))


ACCEPTED = (_document(), _document({1: _body({2: b"104729", 3: 9_000_000}), 4: 0}))


def test_a_transfer_is_read() -> None:
    """A transfer moves one coin; the fee is spending; the body is as published."""
    assert _body() == PUBLISHED_BODY
    payload = _document()
    assert decode(TAG, payload).message == payload
    asset = "ucosm@cosmos:simd-testing"
    assert decode(TAG, payload).facts == Facts(
        "cosmos.transfer",
        (
            Transfer(asset, 1_234_567, TO.decode(), decimals=0),
            Transfer(asset, 2000, None, Role.FEE, 0),
        ),
        source=FROM.decode(),
        nonce="1",
    )


def test_the_published_document_has_another_encoding() -> None:
    """Empty fields that are written out are refused; without them it is our document."""
    with pytest.raises(PayloadError) as caught:
        decode(TAG, PUBLISHED)
    assert caught.value.reason.code is Code.PAYLOAD_NOT_CANONICAL
    shorter = PUBLISHED.replace(b"\x12\x00\x18\x00", b"").replace(b"\x1a\x00\x22\x00", b"")
    lengths = (
        (b"\x0a\x97\x01", b"\x0a\x93\x01"),
        (b"\x12\x6b", b"\x12\x67"),
        (b"\x12\x17\x0a\x0d", b"\x12\x13\x0a\x0d"),
    )
    for old, new in lengths:
        shorter = shorter.replace(old, new, 1)
    assert shorter == _document()


def test_a_memo_is_part_of_the_destination() -> None:
    """A custodian's memo says whose deposit it is, so that it stands in the destination."""
    facts = decode(TAG, _document({1: _body({2: b"104729", 3: 9_000_000})})).facts
    assert facts.transfers[0].destination == f"{TO.decode()}#104729"


def test_a_fee_may_be_missing() -> None:
    """Without a fee only the transfer counts; a first document has no sequence."""
    auth = _auth({1: _signer({3: 0}), 2: _fee({1: b""})})
    facts = decode(TAG, _document({2: auth, 4: 0})).facts
    assert len(facts.transfers) == 1
    assert facts.nonce == "0"


def _sent(changes: Fields) -> bytes:
    return _document({1: _body({1: _send(changes)})})


def _coin(changes: Fields) -> bytes:
    return _sent({3: encode(COIN | changes)})


HOSTILE = {
    "empty": (b"", Code.PAYLOAD_MALFORMED),
    "trailing byte": (_document() + b"\0", Code.PAYLOAD_UNSUPPORTED),
    "too long": (_document({1: _body({2: b"a" * 3000})}), Code.PAYLOAD_TOO_LARGE),
    "no chain": (_document({3: b""}), Code.PAYLOAD_MALFORMED),
    "chain with a colon": (_document({3: b"a:b"}), Code.PAYLOAD_MALFORMED),
    "long chain": (_document({3: b"a" * 33}), Code.PAYLOAD_MALFORMED),
    "chain with a line feed": (_document({3: b"a\n"}), Code.PAYLOAD_MALFORMED),
    "unknown field": (_document({5: 1}), Code.PAYLOAD_UNSUPPORTED),
    "no body": (_document({1: b""}), Code.PAYLOAD_UNSUPPORTED),
    "two messages": (
        _document({1: _body() + encode({1: _send()})}),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "several coins": (
        _document(
            {
                1: _body(
                    {
                        1: encode(
                            {
                                1: SEND_URL,
                                2: encode({1: FROM, 2: TO, 3: encode(COIN)})
                                + encode({3: encode(COIN)}),
                            }
                        )
                    }
                )
            }
        ),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "another message": (
        _document({1: _body({1: _send(url=b"/cosmos.bank.v1beta1.MsgMultiSend")})}),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "authorisation": (
        _document({1: _body({1: _send(url=b"/cosmos.authz.v1beta1.MsgExec")})}),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "look-alike message": (
        _document({1: _body({1: _send(url=SEND_URL[1:])})}),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "unordered": (_document({1: _body({4: 1})}), Code.PAYLOAD_UNSUPPORTED),
    "extension": (_document({1: _body({1023: b"x"})}), Code.PAYLOAD_UNSUPPORTED),
    "other extension": (_document({1: _body({2047: b"x"})}), Code.PAYLOAD_UNSUPPORTED),
    "memo with a space": (_document({1: _body({2: b"a b"})}), Code.PAYLOAD_MALFORMED),
    "zero-width memo": (_document({1: _body({2: "1\u200b".encode()})}), Code.PAYLOAD_MALFORMED),
    "long memo": (_document({1: _body({2: b"a" * 41})}), Code.PAYLOAD_MALFORMED),
    "no sender": (_sent({1: b""}), Code.PAYLOAD_MALFORMED),
    "no recipient": (_sent({2: b""}), Code.PAYLOAD_MALFORMED),
    "recipient in capitals": (_sent({2: TO.upper()}), Code.PAYLOAD_MALFORMED),
    "Ethereum's recipient": (_sent({2: b"0x" + b"a" * 40}), Code.PAYLOAD_MALFORMED),
    "no coin": (_sent({3: b""}), Code.PAYLOAD_MALFORMED),
    "zero": (_coin({2: b"0"}), Code.PAYLOAD_MALFORMED),
    "leading zero": (_coin({2: b"01"}), Code.PAYLOAD_MALFORMED),
    "negative": (_coin({2: b"-1"}), Code.PAYLOAD_MALFORMED),
    "exponent": (_coin({2: b"1e9"}), Code.PAYLOAD_MALFORMED),
    "Arabic digits": (_coin({2: "٣".encode()}), Code.PAYLOAD_MALFORMED),
    "above 256 bits": (_coin({2: b"9" * 78}), Code.PAYLOAD_MALFORMED),
    "coin of another chain": (_coin({1: b"ibc/" + b"A" * 20}), Code.PAYLOAD_MALFORMED),
    "look-alike coin": (_coin({1: "uсosm".encode()}), Code.PAYLOAD_MALFORMED),
    "no auth info": (_document({2: b""}), Code.PAYLOAD_UNSUPPORTED),
    "two signers": (
        _document({2: encode({1: _signer()}) + _auth()}),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "tip": (_document({2: _auth({3: b"x"})}), Code.PAYLOAD_UNSUPPORTED),
    "JSON mode": (
        _document({2: _auth({1: _signer({2: bytes((10, 2, 8, 127))})})}),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "several keys' mode": (
        _document({2: _auth({1: _signer({2: bytes((18, 2, 8, 1))})})}),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "other key": (
        _document({2: _auth({1: _signer(url=b"/cosmos.crypto.ed25519.PubKey")})}),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "uncompressed key": (
        _document({2: _auth({1: _signer(point=b"\x04" + bytes(64))})}),
        Code.PAYLOAD_MALFORMED,
    ),
    "somebody pays": (_document({2: _auth({2: _fee({3: FROM})})}), Code.PAYLOAD_UNSUPPORTED),
    "somebody grants": (_document({2: _auth({2: _fee({4: FROM})})}), Code.PAYLOAD_UNSUPPORTED),
    "fee of nothing": (
        _document({2: _auth({2: _fee({1: encode({1: b"ucosm"})})})}),
        Code.PAYLOAD_MALFORMED,
    ),
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(payload: bytes, code: Code) -> None:
    """Each way round has its reason."""
    with pytest.raises(PayloadError) as caught:
        decode(TAG, payload)
    assert caught.value.reason.code is code


def test_a_key_may_have_any_bytes() -> None:
    """A line feed within a point is a byte like others."""
    point = b"\x02" + b"\n" * 32
    payload = _document({2: _auth({1: _signer(point=point)})})
    assert decode(TAG, payload).message == payload


@settings(deadline=None)
@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    """Any bytes give facts or the one error; the message is the payload."""
    payload = _document()
    at = data.draw(st.integers(0, len(payload)))
    cut = data.draw(st.integers(0, 2))
    changed = payload[:at] + data.draw(st.binary(max_size=2)) + payload[at + cut :]
    try:
        decoded = decode(TAG, changed)
    except PayloadError:
        return
    assert decoded.message == changed
