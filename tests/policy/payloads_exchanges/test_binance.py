"""Binance requests: what is accepted, what it counts, and the ways round it."""

import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Decision, Facts, Side, Transfer
from policy.payloads import decode
from policy.payloads.binance import TABLES, TAG
from policy.payloads.exchange import request
from policy.reasons import Code, PayloadError, Reason

Refusal = Callable[[str, bytes], Reason]

ORDER = (
    b"POST /api/v3/order\n"
    b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=60000.1"
    b"&newClientOrderId=a-1&newOrderRespType=FULL&recvWindow=5000&timestamp=1700000000999"
)
FUTURES = (
    b"POST /fapi/v1/order\n"
    b"symbol=ETHUSDC&side=SELL&positionSide=BOTH&type=LIMIT&quantity=2&price=3000"
    b"&timeInForce=GTX&newClientOrderId=f-1&recvWindow=1000&timestamp=1700000000000"
)
CANCEL = (
    b"DELETE /api/v3/order\n"
    b"symbol=BTCUSDT&origClientOrderId=a-1&recvWindow=5000&timestamp=1700000000000"
)
WITHDRAWAL = (
    b"POST /sapi/v1/capital/withdraw/apply\n"
    b"coin=USDC&withdrawOrderId=w-1&network=ETH"
    b"&address=0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48&amount=1250.5&walletType=0"
    b"&recvWindow=5000&timestamp=1700000000000"
)
ACCEPTED = (
    ORDER,
    FUTURES,
    CANCEL,
    CANCEL.replace(b"/api/v3", b"/fapi/v1"),
    WITHDRAWAL,
    ORDER.replace(b"=LIMIT&timeInForce=GTC", b"=LIMIT_MAKER").replace(b"BUY", b"SELL"),
)
ONE = 10**36


def test_an_order_is_read() -> None:
    """A buy gives away price times quantity of the quote asset; the parameters are signed."""
    decoded = decode(TAG, ORDER)
    assert decoded.message == ORDER.partition(b"\n")[2]
    assert decoded.facts == Facts(
        "binance.order",
        (
            Transfer(
                "USDT@binance:spot", 30_000_05 * ONE // 100, "binance:spot/BTCUSDT", decimals=36
            ),
        ),
        expires_at=1_700_000_005,
        nonce="a-1",
        venue="binance",
        symbol="BTCUSDT",
        side=Side.BUY,
        order_type="LIMIT",
        quantity="0.5",
        price="60000.1",
        timestamp=1_700_000_000_999,
    )


def test_a_sell_counts_its_quantity() -> None:
    """A sell gives away the base asset, however low its price is."""
    cheap = decode(TAG, FUTURES.replace(b"price=3000", b"price=0.01")).facts
    (moved,) = cheap.transfers
    assert moved == Transfer("ETH@binance:usdm", 2 * ONE, "binance:usdm/ETHUSDC", decimals=36)
    assert (cheap.action, cheap.side, cheap.price) == ("binance.futures_order", Side.SELL, "0.01")


def test_a_cancellation_moves_nothing(decided: Callable[..., Decision]) -> None:
    """A cancellation has no transfer, so that a grant for an asset does not allow it."""
    facts = decode(TAG, CANCEL).facts
    assert (facts.transfers, facts.symbol, facts.nonce) == ((), "BTCUSDT", "a-1")
    decision = decided(
        facts,
        TAG,
        asset="USDT@binance:spot",
        destination="binance:spot/BTCUSDT",
        most="1",
    )
    assert [reason.code for reason in decision.reasons] == [Code.ASSET_NOT_ALLOWED]


def test_a_withdrawal_is_read() -> None:
    """A withdrawal goes to an address on a network."""
    facts = decode(TAG, WITHDRAWAL).facts
    assert facts.action == "binance.withdrawal"
    assert facts.transfers == (
        Transfer(
            "USDC@binance:spot",
            12505 * ONE // 10,
            "ETH:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            decimals=36,
        ),
    )


@pytest.mark.parametrize(
    ("most", "decimals", "codes"),
    [
        ("30000.05", 36, []),
        ("30000.04", 36, [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL]),
        ("30000.05", 2, []),
        ("30000", 0, [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL]),
        ("30001", 0, []),
    ],
)
def test_limits_hold(
    decided: Callable[..., Decision], most: str, decimals: int, codes: list[Code]
) -> None:
    """Exactly the limit passes, a cent more does not, and fewer decimals round up."""
    decision = decided(
        decode(TAG, ORDER).facts,
        TAG,
        asset="USDT@binance:spot",
        destination="binance:spot/BTCUSDT",
        most=most,
        decimals=decimals,
    )
    assert [reason.code for reason in decision.reasons] == codes


def test_a_grant_names_its_markets(decided: Callable[..., Decision]) -> None:
    """An order for a symbol that the grant does not list is refused."""
    decision = decided(
        decode(TAG, ORDER).facts,
        TAG,
        asset="USDT@binance:spot",
        destination="binance:spot/ETHUSDT",
        most="100000",
    )
    assert [reason.code for reason in decision.reasons] == [Code.DESTINATION_NOT_ALLOWED]


def test_old_requests_expire(decided: Callable[..., Decision]) -> None:
    """What the venue would take no longer is refused."""
    decision = decided(
        decode(TAG, ORDER).facts,
        TAG,
        asset="USDT@binance:spot",
        destination="binance:spot/BTCUSDT",
        most="100000",
        now_ms=1_700_000_005_001,
    )
    assert [reason.code for reason in decision.reasons] == [Code.PAYLOAD_EXPIRED]


@pytest.mark.parametrize(
    ("secret", "line", "message", "signature"),
    [
        (
            b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
            b"POST /api/v3/order",
            (
                b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
                b"&recvWindow=5000&timestamp=1499827319559"
            ),
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (
            b"2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
            b"POST /fapi/v1/order",
            (
                b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
                b"&recvWindow=5000&timestamp=1591702613943"
            ),
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
        ),
    ],
)
def test_official_examples(
    refusal: Refusal, secret: bytes, line: bytes, message: bytes, signature: str
) -> None:
    """The documented signatures are over the parameters alone, which fit two endpoints."""
    assert hmac.new(secret, message, hashlib.sha256).hexdigest() == signature
    reason = refusal(TAG, line + b"\n" + message)
    assert (reason.code, reason.detail) == (Code.PAYLOAD_MALFORMED, "is missing")


@pytest.mark.parametrize("payload", ACCEPTED)
def test_requests_are_canonical(payload: bytes) -> None:
    """Writing what was read gives the payload."""
    found = request.decode(payload, TABLES)
    assert request.encode(found) == payload
    assert request.form(found.values) == found.text
    assert decode(TAG, payload).message.decode() == found.text


def _with(name: bytes, value: bytes, payload: bytes = ORDER) -> bytes:
    line, _, text = payload.partition(b"\n")
    pairs = [pair.partition(b"=") for pair in text.split(b"&")]
    return (
        line
        + b"\n"
        + b"&".join(key + b"=" + (value if key == name else old) for key, _, old in pairs)
    )


HOSTILE = {
    "empty": (b"", Code.PAYLOAD_UNSUPPORTED),
    "no line": (ORDER.partition(b"\n")[2], Code.PAYLOAD_UNSUPPORTED),
    "no parameters": (b"POST /api/v3/order", Code.PAYLOAD_UNSUPPORTED),
    "empty parameters": (b"POST /api/v3/order\n", Code.PAYLOAD_UNSUPPORTED),
    "too long": (ORDER + b"&" * 5000, Code.PAYLOAD_TOO_LARGE),
    "line feed after": (ORDER + b"\n", Code.PAYLOAD_MALFORMED),
    "carriage return": (ORDER.replace(b"\n", b"\r\n"), Code.PAYLOAD_UNSUPPORTED),
    "two lines": (ORDER.replace(b"\n", b"\n\n"), Code.PAYLOAD_UNSUPPORTED),
    "second request": (ORDER + b"\n" + CANCEL, Code.PAYLOAD_MALFORMED),
    # Another endpoint, or another spelling of one.
    "lower method": (ORDER.replace(b"POST", b"post"), Code.PAYLOAD_UNSUPPORTED),
    "other method": (ORDER.replace(b"POST", b"DELETE"), Code.PAYLOAD_UNSUPPORTED),
    "double slash": (ORDER.replace(b"/v3/", b"/v3//"), Code.PAYLOAD_UNSUPPORTED),
    "dot segments": (ORDER.replace(b"/v3/", b"/v3/x/../"), Code.PAYLOAD_UNSUPPORTED),
    "encoded path": (ORDER.replace(b"/order", b"/%6frder"), Code.PAYLOAD_UNSUPPORTED),
    "query in path": (ORDER.replace(b"/order\n", b"/order?a=1\n"), Code.PAYLOAD_UNSUPPORTED),
    "host in path": (ORDER.replace(b" /api", b" //evil/api"), Code.PAYLOAD_UNSUPPORTED),
    "trailing slash": (ORDER.replace(b"/order\n", b"/order/\n"), Code.PAYLOAD_UNSUPPORTED),
    "cancel and replace": (
        ORDER.replace(b"/order\n", b"/order/cancelReplace\n"),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "batch": (FUTURES.replace(b"/order\n", b"/batchOrders\n"), Code.PAYLOAD_UNSUPPORTED),
    "coin-margined": (FUTURES.replace(b"/fapi", b"/dapi"), Code.PAYLOAD_UNSUPPORTED),
    "cancel all": (CANCEL.replace(b"/order\n", b"/openOrders\n"), Code.PAYLOAD_UNSUPPORTED),
    "withdrawal dressed as order": (
        b"POST /api/v3/order\n" + WITHDRAWAL.partition(b"\n")[2],
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "order with a coin": (ORDER + b"&coin=BTC", Code.PAYLOAD_UNSUPPORTED),
    "spot order fit for futures": (
        ORDER.replace(b"&newOrderRespType=FULL", b""),
        Code.PAYLOAD_MALFORMED,
    ),
    "spot order with the answer of futures": (
        _with(b"newOrderRespType", b"ACK"),
        Code.PAYLOAD_MALFORMED,
    ),
    "futures order fit for spot": (
        FUTURES.replace(b"&positionSide=BOTH", b""),
        Code.PAYLOAD_MALFORMED,
    ),
    # Parameters.
    "twice, equal": (ORDER + b"&timestamp=1700000000999", Code.PAYLOAD_MALFORMED),
    "twice, other": (ORDER.replace(b"&price", b"&quantity=9&price"), Code.PAYLOAD_MALFORMED),
    "encoded name": (ORDER.replace(b"&price", b"&pric%65"), Code.PAYLOAD_UNSUPPORTED),
    "name in other case": (ORDER.replace(b"&price", b"&Price"), Code.PAYLOAD_UNSUPPORTED),
    "array name": (ORDER.replace(b"&price", b"&price[]"), Code.PAYLOAD_UNSUPPORTED),
    "semicolon": (ORDER.replace(b"&price", b";price"), Code.PAYLOAD_MALFORMED),
    "empty pair": (ORDER.replace(b"&price", b"&&price"), Code.PAYLOAD_UNSUPPORTED),
    "ampersand after": (ORDER + b"&", Code.PAYLOAD_UNSUPPORTED),
    "no value": (_with(b"price", b""), Code.PAYLOAD_MALFORMED),
    "two equals signs": (_with(b"price", b"=1"), Code.PAYLOAD_MALFORMED),
    "no equals sign": (ORDER.replace(b"price=60000.1", b"price"), Code.PAYLOAD_MALFORMED),
    "signature": (ORDER + b"&signature=00", Code.PAYLOAD_UNSUPPORTED),
    "quote quantity": (ORDER + b"&quoteOrderQty=1000000", Code.PAYLOAD_NOT_CANONICAL),
    "stop price": (ORDER + b"&stopPrice=1", Code.PAYLOAD_UNSUPPORTED),
    "close position": (FUTURES + b"&closePosition=true", Code.PAYLOAD_UNSUPPORTED),
    "price match": (FUTURES + b"&priceMatch=OPPONENT", Code.PAYLOAD_UNSUPPORTED),
    "other order": (
        ORDER.replace(b"symbol=BTCUSDT&side=BUY", b"side=BUY&symbol=BTCUSDT"),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "no id": (ORDER.replace(b"&newClientOrderId=a-1", b""), Code.PAYLOAD_MALFORMED),
    "market order": (_with(b"type", b"MARKET"), Code.PAYLOAD_MALFORMED),
    "stop order": (_with(b"type", b"STOP_LOSS"), Code.PAYLOAD_MALFORMED),
    "no price": (ORDER.replace(b"&price=60000.1", b""), Code.PAYLOAD_MALFORMED),
    "maker with time in force": (_with(b"type", b"LIMIT_MAKER"), Code.PAYLOAD_MALFORMED),
    "limit without time in force": (
        ORDER.replace(b"&timeInForce=GTC", b""),
        Code.PAYLOAD_MALFORMED,
    ),
    "side in lower case": (_with(b"side", b"buy"), Code.PAYLOAD_MALFORMED),
    # Numbers.
    **{
        f"quantity {value!a}": (_with(b"quantity", value), Code.PAYLOAD_MALFORMED)
        for value in (
            b"0",
            b"0.0",
            b"-1",
            b"+1",
            b"%2B1",
            b"1e3",
            b"1E-3",
            b"1.0",
            b"01",
            b".5",
            b"5.",
            b"1,5",
            b"1_000",
            b" 1",
            b"1 ",
            b"0x10",
            b"Infinity",
            b"NaN",
            b"1" * 19,
            b"0." + b"0" * 18 + b"1",
        )
    },
    "Arabic digits": (_with(b"quantity", "٣".encode()), Code.PAYLOAD_MALFORMED),
    # Symbols.
    "symbol in lower case": (_with(b"symbol", b"btcusdt"), Code.PAYLOAD_MALFORMED),
    "Cyrillic symbol": (_with(b"symbol", "ВTCUSDT".encode()), Code.PAYLOAD_MALFORMED),
    "zero-width symbol": (_with(b"symbol", "BTC\u200bUSDT".encode()), Code.PAYLOAD_MALFORMED),
    "encoded symbol": (_with(b"symbol", b"BTC%55SDT"), Code.PAYLOAD_MALFORMED),
    "symbol with a space": (_with(b"symbol", b"BTCUSDT+"), Code.PAYLOAD_MALFORMED),
    "option": (_with(b"symbol", b"BTC-240628-9000-C"), Code.PAYLOAD_MALFORMED),
    "delivery": (_with(b"symbol", b"BTCUSD_PERP"), Code.PAYLOAD_MALFORMED),
    "unknown quote asset": (_with(b"symbol", b"BTCXYZ"), Code.PAYLOAD_UNSUPPORTED),
    "ambiguous quote asset": (_with(b"symbol", b"ADAEUR"), Code.PAYLOAD_UNSUPPORTED),
    "quote asset only": (_with(b"symbol", b"USDT"), Code.PAYLOAD_UNSUPPORTED),
    "futures priced in coin": (_with(b"symbol", b"ETHBTC", FUTURES), Code.PAYLOAD_UNSUPPORTED),
    # Time.
    "huge window": (_with(b"recvWindow", b"60000"), Code.PAYLOAD_MALFORMED),
    "large window": (_with(b"recvWindow", b"5001"), Code.PAYLOAD_UNSUPPORTED),
    "no window": (ORDER.replace(b"&recvWindow=5000", b""), Code.PAYLOAD_MALFORMED),
    "fraction of a window": (_with(b"recvWindow", b"1.5"), Code.PAYLOAD_MALFORMED),
    "microseconds": (_with(b"timestamp", b"1700000000000000"), Code.PAYLOAD_MALFORMED),
    "seconds": (_with(b"timestamp", b"1700000000"), Code.PAYLOAD_MALFORMED),
    "no timestamp": (CANCEL.rpartition(b"&")[0], Code.PAYLOAD_MALFORMED),
    # Withdrawals.
    "address tag": (WITHDRAWAL + b"&addressTag=1", Code.PAYLOAD_UNSUPPORTED),
    "funding wallet": (_with(b"walletType", b"1", WITHDRAWAL), Code.PAYLOAD_MALFORMED),
    "no network": (WITHDRAWAL.replace(b"&network=ETH", b""), Code.PAYLOAD_MALFORMED),
    "address without checksum": (
        _with(b"address", b"0x" + b"a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", WITHDRAWAL),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "encoded address": (_with(b"address", b"bitcoincash%3Aqq", WITHDRAWAL), Code.PAYLOAD_MALFORMED),
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(refusal: Refusal, payload: bytes, code: Code) -> None:
    """Each way round has its reason."""
    assert refusal(TAG, payload).code is code


@pytest.mark.parametrize("payload", ACCEPTED)
def test_every_cut_is_refused(payload: bytes) -> None:
    """No part of a request is a request: what is left out is missed."""
    for end in range(payload.index(b"timestamp")):
        with pytest.raises(PayloadError):
            decode(TAG, payload[:end])


@settings(deadline=None)
@given(st.binary(max_size=64) | st.sampled_from(ACCEPTED), st.data())
def test_any_bytes(base: bytes, data: st.DataObject) -> None:
    """Any bytes give facts or the one error, and what is accepted is what was read."""
    at = data.draw(st.integers(0, len(base)))
    cut = data.draw(st.integers(0, 3))
    new = data.draw(st.binary(max_size=3) | st.sampled_from([b"&", b"=", b"0", b".", b"&price=1"]))
    payload = base[:at] + new + base[at + cut :]
    try:
        decoded = decode(TAG, payload)
    except PayloadError:
        return
    line, _, text = payload.partition(b"\n")
    assert line.decode() in TABLES
    assert decoded.message == text
