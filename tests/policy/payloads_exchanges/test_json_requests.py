"""OKX and Bybit requests: what is signed, what it counts, and the ways round it."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Decision, Facts, Side, Transfer
from policy.payloads import bybit, decode, okx
from policy.payloads.exchange import request
from policy.reasons import Code, PayloadError, Reason

OKX_ORDER = (
    b"POST /api/v5/trade/order\n"
    b"2020-12-08T09:08:57.715Z\n"
    b'{"clOrdId":"b15","instId":"BTC-USDT","ordType":"limit","px":"2.15","side":"buy",'
    b'"sz":"2","tdMode":"cash"}'
)
OKX_CANCEL = (
    b"POST /api/v5/trade/cancel-order\n"
    b"2020-12-08T09:08:57.715Z\n"
    b'{"clOrdId":"b15","instId":"BTC-USDT"}'
)
OKX_WITHDRAWAL = (
    b"POST /api/v5/asset/withdrawal\n"
    b"2020-12-08T09:08:57.715Z\n"
    b'{"amt":"1.5","ccy":"USDT","chain":"USDT-ERC20","clientId":"w1","dest":"4",'
    b'"toAddr":"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"}'
)
BYBIT_ORDER = (
    b"POST /v5/order/create\n1658384314791\nXXXXXXXXXX\n5000\n"
    b'{"category":"linear","orderLinkId":"a1","orderType":"Limit","price":"30000.5",'
    b'"qty":"0.2","side":"Sell","symbol":"BTCUSDT","timeInForce":"PostOnly"}'
)
BYBIT_CANCEL = (
    b"POST /v5/order/cancel\n1658384314791\nXXXXXXXXXX\n1\n"
    b'{"category":"spot","orderLinkId":"a1","symbol":"BTCUSDT"}'
)
OKX, BYBIT = okx.TAG, bybit.TAG
ACCEPTED = (
    (OKX, OKX_ORDER),
    (OKX, OKX_CANCEL),
    (OKX, OKX_WITHDRAWAL),
    (BYBIT, BYBIT_ORDER),
    (BYBIT, BYBIT_CANCEL),
)
ONE = 10**36
TIME = 1_607_418_537_715


def test_an_order_at_okx_is_read() -> None:
    """A buy gives away price times size; time, method, path and body are signed."""
    decoded = decode(OKX, OKX_ORDER)
    assert decoded.message == b"2020-12-08T09:08:57.715ZPOST/api/v5/trade/order" + OKX_ORDER[50:]
    assert decoded.facts == Facts(
        "okx.order",
        (Transfer("USDT@okx:spot", 43 * ONE // 10, "okx:spot/BTC-USDT", decimals=36),),
        expires_at=TIME // 1000 + 30,
        nonce="b15",
        venue="okx",
        symbol="BTC-USDT",
        side=Side.BUY,
        order_type="limit",
        quantity="2",
        price="2.15",
        timestamp=TIME,
    )


def test_a_withdrawal_from_okx_is_read() -> None:
    """A withdrawal goes to an address on a chain."""
    facts = decode(OKX, OKX_WITHDRAWAL).facts
    assert (facts.action, facts.nonce, facts.timestamp) == ("okx.withdrawal", "w1", TIME)
    assert facts.transfers == (
        Transfer(
            "USDT@okx:spot",
            15 * ONE // 10,
            "USDT-ERC20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            decimals=36,
        ),
    )


def test_an_order_at_bybit_is_read() -> None:
    """A sell gives away its quantity; the headers and the body are signed, in that order."""
    decoded = decode(BYBIT, BYBIT_ORDER)
    body = BYBIT_ORDER.rpartition(b"\n")[2]
    assert decoded.message == b"1658384314791XXXXXXXXXX5000" + body
    assert decoded.facts == Facts(
        "bybit.order",
        (Transfer("BTC@bybit:linear", 2 * ONE // 10, "bybit:linear/BTCUSDT", decimals=36),),
        expires_at=1_658_384_319,
        nonce="a1",
        venue="bybit",
        symbol="BTCUSDT",
        side=Side.SELL,
        order_type="PostOnly",
        quantity="0.2",
        price="30000.5",
        timestamp=1_658_384_314_791,
    )


@pytest.mark.parametrize(("tag", "payload"), [(OKX, OKX_CANCEL), (BYBIT, BYBIT_CANCEL)])
def test_a_cancellation_moves_nothing(tag: str, payload: bytes) -> None:
    """A cancellation names its market and has no transfer."""
    facts = decode(tag, payload).facts
    assert facts.action == f"{facts.venue}.cancel"
    assert facts.transfers == ()
    assert facts.symbol


@pytest.mark.parametrize(
    ("most", "codes"),
    [("4.3", []), ("4.2999", [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL])],
)
def test_limits_hold(decided: Callable[..., Decision], most: str, codes: list[Code]) -> None:
    """Exactly the limit passes, a little more does not."""
    decision = decided(
        decode(OKX, OKX_ORDER).facts,
        OKX,
        asset="USDT@okx:spot",
        destination="okx:spot/BTC-USDT",
        most=most,
    )
    assert [reason.code for reason in decision.reasons] == codes


def test_the_message_is_what_a_client_would_sign() -> None:
    """An independent client's signature is the one over the message."""
    secret, body = b"22582BD0CFF14C41EDBF1AB98506286D", OKX_ORDER.rpartition(b"\n")[2]
    client = hmac.new(secret, digestmod=hashlib.sha256)
    for part in (b"2020-12-08T09:08:57.715Z", b"POST", b"/api/v5/trade/order", body):
        client.update(part)
    ours = hmac.new(secret, decode(OKX, OKX_ORDER).message, hashlib.sha256)
    assert base64.b64encode(ours.digest()) == base64.b64encode(client.digest())


@pytest.mark.parametrize(("tag", "payload"), ACCEPTED)
def test_requests_are_canonical(tag: str, payload: bytes) -> None:
    """Writing what was read gives the payload."""
    module = {OKX: (okx.TABLES, (okx._TIME,)), BYBIT: (bybit.TABLES, bybit._HEADERS)}[tag]
    assert request.encode(request.decode_json(payload, *module)) == payload


def _okx(old: bytes, new: bytes, payload: bytes = OKX_ORDER) -> bytes:
    assert old in payload
    return payload.replace(old, new)


def _bybit(old: bytes, new: bytes, payload: bytes = BYBIT_ORDER) -> bytes:
    return _okx(old, new, payload)


OKX_HOSTILE = {
    "empty": (b"", Code.PAYLOAD_UNSUPPORTED),
    "no time": (_okx(b"2020-12-08T09:08:57.715Z\n", b""), Code.PAYLOAD_UNSUPPORTED),
    "no body": (OKX_ORDER.rpartition(b"\n")[0], Code.PAYLOAD_UNSUPPORTED),
    "empty body": (OKX_ORDER.rpartition(b"\n")[0] + b"\n", Code.PAYLOAD_MALFORMED),
    "line feed after": (OKX_ORDER + b"\n", Code.PAYLOAD_NOT_CANONICAL),
    "query": (_okx(b"/order\n", b"/order?a=b\n"), Code.PAYLOAD_UNSUPPORTED),
    "batch": (_okx(b"/order\n", b"/batch-orders\n"), Code.PAYLOAD_UNSUPPORTED),
    "change": (_okx(b"/order\n", b"/amend-order\n"), Code.PAYLOAD_UNSUPPORTED),
    "path tricks": (_okx(b"/trade/", b"/trade/../trade/"), Code.PAYLOAD_UNSUPPORTED),
    "encoded path": (_okx(b"/order\n", b"/orde%72\n"), Code.PAYLOAD_UNSUPPORTED),
    "transfer": (_okx(b"trade/order", b"asset/transfer"), Code.PAYLOAD_UNSUPPORTED),
    "withdrawal dressed as order": (
        _okx(b"asset/withdrawal", b"trade/order", OKX_WITHDRAWAL),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "list of orders": (_okx(b'{"c', b'[{"c').replace(b"}", b"}]"), Code.PAYLOAD_MALFORMED),
    "member twice": (_okx(b'"sz"', b'"sz":"1","sz"'), Code.PAYLOAD_MALFORMED),
    "escaped member": (_okx(b'"sz"', b'"\\u0073z"'), Code.PAYLOAD_NOT_CANONICAL),
    "space": (_okx(b'"sz":', b'"sz": '), Code.PAYLOAD_NOT_CANONICAL),
    "other order of members": (
        _okx(b'"side":"buy","sz":"2"', b'"sz":"2","side":"buy"'),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "size as number": (_okx(b'"sz":"2"', b'"sz":2'), Code.PAYLOAD_MALFORMED),
    "size with exponent": (_okx(b'"sz":"2"', b'"sz":"2e9"'), Code.PAYLOAD_MALFORMED),
    "nested size": (_okx(b'"sz":"2"', b'"sz":["2"]'), Code.PAYLOAD_MALFORMED),
    "no price": (_okx(b'"px":"2.15",', b""), Code.PAYLOAD_MALFORMED),
    "market order": (_okx(b'"limit"', b'"market"'), Code.PAYLOAD_MALFORMED),
    "no client id": (_okx(b'"clOrdId":"b15",', b""), Code.PAYLOAD_MALFORMED),
    "margin": (_okx(b'"cash"', b'"cross"'), Code.PAYLOAD_MALFORMED),
    "attached orders": (
        _okx(b'{"clOrdId"', b'{"attachAlgoOrds":[],"clOrdId"'),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "ban on amendment": (
        _okx(b'{"clOrdId"', b'{"banAmend":true,"clOrdId"'),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "swap": (_okx(b"BTC-USDT", b"BTC-USDT-SWAP"), Code.PAYLOAD_MALFORMED),
    "look-alike market": (_okx(b"BTC-USDT", "ВTC-USDT".encode()), Code.PAYLOAD_MALFORMED),
    "zero-width market": (_okx(b"BTC-USDT", b"BTC\\u200b-USDT"), Code.PAYLOAD_NOT_CANONICAL),
    "time without milliseconds": (_okx(b".715Z", b"Z"), Code.PAYLOAD_MALFORMED),
    "time in a zone": (_okx(b"715Z", b"715+01:00"), Code.PAYLOAD_MALFORMED),
    "no such day": (_okx(b"12-08", b"02-30"), Code.PAYLOAD_MALFORMED),
    "no such second": (_okx(b":57.", b":61."), Code.PAYLOAD_MALFORMED),
    "another century": (_okx(b"2020-", b"9999-"), Code.PAYLOAD_MALFORMED),
    "internal withdrawal": (
        _okx(b'"dest":"4"', b'"dest":"3"', OKX_WITHDRAWAL),
        Code.PAYLOAD_MALFORMED,
    ),
    "address with a tag": (_okx(b'48"', b'48:123"', OKX_WITHDRAWAL), Code.PAYLOAD_MALFORMED),
    "address without checksum": (
        _okx(b"0xA0b8", b"0xa0b8", OKX_WITHDRAWAL),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
}
BYBIT_HOSTILE = {
    "no body": (BYBIT_ORDER.rpartition(b"\n")[0], Code.PAYLOAD_UNSUPPORTED),
    "batch": (_bybit(b"/create\n", b"/create-batch\n"), Code.PAYLOAD_UNSUPPORTED),
    "change": (_bybit(b"/create\n", b"/amend\n"), Code.PAYLOAD_UNSUPPORTED),
    "cancel all": (_bybit(b"/cancel\n", b"/cancel-all\n", BYBIT_CANCEL), Code.PAYLOAD_UNSUPPORTED),
    "inverse": (_bybit(b"linear", b"inverse"), Code.PAYLOAD_MALFORMED),
    "option": (_bybit(b"linear", b"option"), Code.PAYLOAD_MALFORMED),
    "market order": (_bybit(b"Limit", b"Market"), Code.PAYLOAD_MALFORMED),
    "quantity as number": (_bybit(b'"0.2"', b"1"), Code.PAYLOAD_MALFORMED),
    "quantity with needless zero": (_bybit(b'"0.2"', b'"0.20"'), Code.PAYLOAD_MALFORMED),
    "trigger": (
        _bybit(b'"side":', b'"triggerPrice":"1","side":'),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "leverage": (
        _bybit(b'"orderLinkId"', b'"isLeverage":1,"orderLinkId"'),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "inverse symbol": (_bybit(b"BTCUSDT", b"BTCUSD"), Code.PAYLOAD_UNSUPPORTED),
    "spread symbol": (_bybit(b"BTCUSDT", b"BTCUSDT_BTC/USDT"), Code.PAYLOAD_MALFORMED),
    "no client id": (_bybit(b'"orderLinkId":"a1",', b""), Code.PAYLOAD_MALFORMED),
    "huge window": (_bybit(b"\n5000\n", b"\n60000\n"), Code.PAYLOAD_MALFORMED),
    "large window": (_bybit(b"\n5000\n", b"\n5001\n"), Code.PAYLOAD_MALFORMED),
    "window of zero": (_bybit(b"\n5000\n", b"\n0\n"), Code.PAYLOAD_MALFORMED),
    "microseconds": (_bybit(b"4791\n", b"4791000\n"), Code.PAYLOAD_MALFORMED),
    "empty API key": (_bybit(b"XXXXXXXXXX", b""), Code.PAYLOAD_MALFORMED),
    "withdrawal": (
        b"POST /v5/asset/withdraw/create\n1658384314791\nXXXXXXXXXX\n5000\n{}",
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "nothing in it": (BYBIT_ORDER.rpartition(b"\n")[0] + b"\n{}", Code.PAYLOAD_MALFORMED),
}
HOSTILE = {
    **{f"{OKX} {name}": (OKX, *case) for name, case in OKX_HOSTILE.items()},
    **{f"{BYBIT} {name}": (BYBIT, *case) for name, case in BYBIT_HOSTILE.items()},
}


@pytest.mark.parametrize(("tag", "payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(
    refusal: Callable[[str, bytes], Reason], tag: str, payload: bytes, code: Code
) -> None:
    """Each way round has its reason."""
    assert refusal(tag, payload).code is code


def test_receive_windows() -> None:
    """Exactly 1 to 5000 milliseconds are taken."""
    grammar = bybit._HEADERS[2].grammar
    assert [n for n in range(60001) if re.fullmatch(grammar, str(n))] == list(range(1, 5001))


@settings(deadline=None)
@given(st.sampled_from(ACCEPTED), st.data())
def test_any_bytes(base: tuple[str, bytes], data: st.DataObject) -> None:
    """Any bytes give facts or the one error, and the message ends with what is sent."""
    tag, payload = base
    at = data.draw(st.integers(0, len(payload)))
    cut = data.draw(st.integers(0, 3))
    new = data.draw(st.binary(max_size=3) | st.sampled_from([b'"', b",", b"\n", b"0"]))
    payload = payload[:at] + new + payload[at + cut :]
    try:
        decoded = decode(tag, payload)
    except PayloadError:
        return
    assert decoded.message.endswith(payload.rpartition(b"\n")[2])
