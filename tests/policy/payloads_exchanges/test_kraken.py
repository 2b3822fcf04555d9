"""Kraken requests: what is accepted, what is signed, and the ways round it."""

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Decision, Facts, Role, Side, Transfer
from policy.payloads import decode
from policy.payloads.exchange import request
from policy.payloads.kraken import TABLES, TAG
from policy.reasons import Code, PayloadError, Reason

ORDER = (
    b"POST /0/private/AddOrder\n"
    b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
)
CANCEL = b"POST /0/private/CancelOrder\nnonce=1616492376594&txid=OYVGEW-VYV5B-UUEXSK"
WITHDRAWAL = (
    b"POST /0/private/Withdraw\n"
    b"address=bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq&amount=0.725&asset=XBT"
    b"&key=btc_2709&max_fee=0.0002&nonce=1616492376594"
)
FULL = (
    ORDER.replace(b"nonce", b"cl_ord_id=a-1&nonce")
    .replace(b"ordertype=limit", b"oflags=post&ordertype=limit")
    .replace(b"type=buy", b"timeinforce=GTC&type=sell")
)
ACCEPTED = (ORDER, FULL, CANCEL, WITHDRAWAL)
ONE = 10**36


def test_the_official_example() -> None:
    """The documented request gives the documented signature and says what it buys."""
    secret = base64.b64decode(
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    )
    decoded = decode(TAG, ORDER)
    signature = hmac.new(secret, decoded.message, hashlib.sha512).digest()
    assert base64.b64encode(signature) == (
        b"4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )
    assert decoded.facts == Facts(
        "kraken.order",
        (Transfer("USD@kraken:spot", 46875 * ONE, "kraken:spot/XBTUSD", decimals=36),),
        nonce="1616492376594",
        venue="kraken",
        symbol="XBTUSD",
        side=Side.BUY,
        order_type="limit",
        quantity="1.25",
        price="37500",
        timestamp=1_616_492_376_594,
    )


def test_a_sell_counts_its_volume() -> None:
    """A sell gives away the base asset, whatever its price."""
    facts = decode(TAG, FULL).facts
    assert facts.side is Side.SELL
    assert facts.transfers == (
        Transfer("XBT@kraken:spot", 125 * ONE // 100, "kraken:spot/XBTUSD", decimals=36),
    )


def test_a_withdrawal_counts_its_fee() -> None:
    """A withdrawal goes to the address that it confirms; the highest fee is spending too."""
    facts = decode(TAG, WITHDRAWAL).facts
    assert facts.transfers == (
        Transfer(
            "XBT@kraken:spot",
            725 * ONE // 1000,
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            decimals=36,
        ),
        Transfer("XBT@kraken:spot", 2 * ONE // 10_000, None, Role.FEE, 36),
    )


def test_a_cancellation_moves_nothing() -> None:
    """A cancellation has no transfer."""
    assert decode(TAG, CANCEL).facts.transfers == ()


@pytest.mark.parametrize(
    ("most", "codes"),
    [
        ("0.7252", []),
        ("0.72519999", [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL]),
    ],
)
def test_limits_hold(decided: Callable[..., Decision], most: str, codes: list[Code]) -> None:
    """Amount and fee together stay below the limit."""
    decision = decided(
        decode(TAG, WITHDRAWAL).facts,
        TAG,
        asset="XBT@kraken:spot",
        destination="bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        most=most,
    )
    assert [reason.code for reason in decision.reasons] == codes


def test_another_name_of_a_pair_is_another_market(decided: Callable[..., Decision]) -> None:
    """An alias of a granted pair is refused: its base asset has no definition either."""
    facts = decode(TAG, FULL.replace(b"XBTUSD", b"XXBTZUSD")).facts
    decision = decided(
        facts,
        TAG,
        asset="XBT@kraken:spot",
        destination="kraken:spot/XBTUSD",
        most="100",
    )
    assert {Code.ASSET_UNKNOWN, Code.DESTINATION_NOT_ALLOWED} <= {
        reason.code for reason in decision.reasons
    }


@pytest.mark.parametrize("payload", ACCEPTED)
def test_requests_are_canonical(payload: bytes) -> None:
    """Writing what was read gives the payload."""
    found = request.decode(payload, TABLES)
    assert request.encode(found) == payload
    assert request.form(found.values) == found.text


@pytest.mark.parametrize("payload", ACCEPTED)
def test_the_message_covers_path_nonce_and_body(payload: bytes) -> None:
    """The path stands in the message, and the nonce before the body in its hash."""
    line, _, body = payload.partition(b"\n")
    expected = line.removeprefix(b"POST ") + hashlib.sha256(b"1616492376594" + body).digest()
    assert decode(TAG, payload).message == expected


HOSTILE = {
    "empty": (b"", Code.PAYLOAD_UNSUPPORTED),
    "batch": (ORDER.replace(b"AddOrder", b"AddOrderBatch"), Code.PAYLOAD_UNSUPPORTED),
    "edit": (ORDER.replace(b"AddOrder", b"EditOrder"), Code.PAYLOAD_UNSUPPORTED),
    "cancel all": (CANCEL.replace(b"CancelOrder", b"CancelAll"), Code.PAYLOAD_UNSUPPORTED),
    "stream token": (b"POST /0/private/GetWebSocketsToken\nnonce=1", Code.PAYLOAD_UNSUPPORTED),
    "withdrawal dressed as order": (
        WITHDRAWAL.replace(b"Withdraw", b"AddOrder"),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "dot segments": (ORDER.replace(b"private", b"public/../private"), Code.PAYLOAD_UNSUPPORTED),
    "path in other case": (ORDER.replace(b"AddOrder", b"addorder"), Code.PAYLOAD_UNSUPPORTED),
    "encoded path": (ORDER.replace(b"AddOrder", b"Add%4frder"), Code.PAYLOAD_UNSUPPORTED),
    "GET": (ORDER.replace(b"POST", b"GET"), Code.PAYLOAD_UNSUPPORTED),
    "JSON": (b'POST /0/private/AddOrder\n{"nonce":1}', Code.PAYLOAD_UNSUPPORTED),
    "twice": (ORDER + b"&volume=99", Code.PAYLOAD_MALFORMED),
    "nonce twice": (ORDER + b"&nonce=1616492376595", Code.PAYLOAD_MALFORMED),
    "other order": (
        ORDER.replace(b"type=buy&volume=1.25", b"volume=1.25&type=buy"),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "no nonce": (ORDER.replace(b"nonce=1616492376594&", b""), Code.PAYLOAD_MALFORMED),
    "small nonce": (ORDER.replace(b"1616492376594", b"1"), Code.PAYLOAD_MALFORMED),
    "far nonce": (ORDER.replace(b"1616492376594", b"9" * 19), Code.PAYLOAD_MALFORMED),
    "one-time password": (ORDER + b"&otp=123456", Code.PAYLOAD_UNSUPPORTED),
    "leverage": (ORDER + b"&leverage=5:1", Code.PAYLOAD_UNSUPPORTED),
    "volume in quote asset": (
        FULL.replace(b"oflags=post", b"oflags=viqc"),
        Code.PAYLOAD_MALFORMED,
    ),
    "two flags": (FULL.replace(b"oflags=post", b"oflags=post,viqc"), Code.PAYLOAD_MALFORMED),
    "conditional close": (ORDER + b"&close[price]=1", Code.PAYLOAD_UNSUPPORTED),
    "market order": (
        ORDER.replace(b"=limit", b"=market"),
        Code.PAYLOAD_MALFORMED,
    ),
    "no price": (ORDER.replace(b"&price=37500", b""), Code.PAYLOAD_MALFORMED),
    "relative price": (ORDER.replace(b"price=", b"price=+"), Code.PAYLOAD_MALFORMED),
    "price in per cent": (ORDER.replace(b"=37500", b"=5%"), Code.PAYLOAD_MALFORMED),
    "exponent": (ORDER.replace(b"=1.25", b"=1e5"), Code.PAYLOAD_MALFORMED),
    "needless zero": (ORDER.replace(b"=1.25", b"=1.250"), Code.PAYLOAD_MALFORMED),
    "pair with a slash": (ORDER.replace(b"XBTUSD", b"XBT/USD"), Code.PAYLOAD_MALFORMED),
    "look-alike pair": (ORDER.replace(b"XBTUSD", "XВTUSD".encode()), Code.PAYLOAD_MALFORMED),
    "zero-width pair": (ORDER.replace(b"XBT", "XBT\u200b".encode()), Code.PAYLOAD_MALFORMED),
    "unknown quote asset": (ORDER.replace(b"XBTUSD", b"XBTXYZ"), Code.PAYLOAD_UNSUPPORTED),
    "two orders cancelled": (CANCEL + b",OYVGEW-VYV5B-UUEXSK", Code.PAYLOAD_MALFORMED),
    "group cancelled": (CANCEL.replace(b"OYVGEW-VYV5B-UUEXSK", b"1"), Code.PAYLOAD_MALFORMED),
    "no address": (WITHDRAWAL.replace(b"address=bc1q", b"key=bc1q"), Code.PAYLOAD_MALFORMED),
    "no highest fee": (WITHDRAWAL.replace(b"&max_fee=0.0002", b""), Code.PAYLOAD_MALFORMED),
    "address without checksum": (
        WITHDRAWAL.replace(b"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", b"0x" + b"ab" * 20),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "line feed after": (ORDER + b"\n", Code.PAYLOAD_MALFORMED),
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(
    refusal: Callable[[str, bytes], Reason], payload: bytes, code: Code
) -> None:
    """Each way round has its reason."""
    assert refusal(TAG, payload).code is code


@settings(deadline=None)
@given(st.binary(max_size=64) | st.sampled_from(ACCEPTED), st.data())
def test_any_bytes(base: bytes, data: st.DataObject) -> None:
    """Any bytes give facts or the one error, and what is accepted is what was read."""
    at = data.draw(st.integers(0, len(base)))
    cut = data.draw(st.integers(0, 3))
    new = data.draw(st.binary(max_size=3) | st.sampled_from([b"&", b"=", b"0", b".", b"&price=1"]))
    payload = base[:at] + new + base[at + cut :]
    try:
        found = request.decode(payload, TABLES)
        decode(TAG, payload)
    except PayloadError:
        return
    assert request.encode(found) == payload
    assert request.form(found.values) == found.text
