"""BitMEX requests: what is signed, what it counts, and the ways round it."""

import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Decision, Facts, Side, Transfer
from policy.payloads import bitmex, decode
from policy.payloads.exchange import request
from policy.reasons import Code, PayloadError, Reason

TAG = bitmex.TAG
EXPIRES = 1_518_064_238
ORDER = (
    b"POST /api/v1/order\n1518064238\n"
    b"clOrdID=b15&ordType=Limit&orderQty=98&price=219.5&side=Buy&symbol=XBTUSD"
    b"&timeInForce=GoodTillCancel"
)
MAKER = ORDER.replace(b"b15&", b"b15&execInst=ParticipateDoNotInitiate&").replace(b"Buy", b"Sell")
CANCEL = b"DELETE /api/v1/order\n1518064238\nclOrdID=b15"
WITHDRAWAL = (
    b"POST /api/v1/user/requestWithdrawal\n1518064238\n"
    b"address=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4&amount=150000&currency=XBt&network=btc"
)
ACCEPTED = (ORDER, MAKER, CANCEL, WITHDRAWAL)

# The documentation's example key and signatures.
SECRET = b"chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO"
DOCUMENTED = (
    (
        ("GET", "/api/v1/instrument", "1518064236", ""),
        "c7682d435d0cfe87c16098df34ef2eb5a549d4c5a3c2b1f0f77b8af73423bf00",
    ),
    (
        (
            "GET",
            "/api/v1/instrument?filter=%7B%22symbol%22%3A+%22XBTM15%22%7D",
            "1518064237",
            "",
        ),
        "e2f422547eecb5b3cb29ade2127e21b858b235b386bfa45e1c1756eb3383919f",
    ),
    (
        (
            "POST",
            "/api/v1/order",
            "1518064238",
            (
                '{"symbol":"XBTM15","price":219.0,"clOrdID":"mm_bitmex_1a/oemUeQ4CAJZgP3fjHsA",'
                '"orderQty":98}'
            ),
        ),
        "1749cd2ccae4aa49048ae09f0b95110cee706e0944e6a14ad0b3a8cb45bd336b",
    ),
)


@pytest.mark.parametrize(("parts", "signature"), DOCUMENTED)
def test_the_documented_signatures(parts: tuple[str, str, str, str], signature: str) -> None:
    """The venue's own examples have the signature that its documentation gives."""
    signed = hmac.new(SECRET, bitmex.message(*parts), hashlib.sha256)
    assert signed.hexdigest() == signature


def test_an_order_is_read() -> None:
    """An order counts its contracts; method, path, expiry and body are signed."""
    decoded = decode(TAG, ORDER)
    assert decoded.message == b"POST/api/v1/order1518064238" + ORDER.rpartition(b"\n")[2]
    assert decoded.facts == Facts(
        "bitmex.order",
        (Transfer("XBTUSD@bitmex:contract", 98 * 10**36, "bitmex:contract/XBTUSD", decimals=36),),
        expires_at=EXPIRES,
        nonce="b15",
        venue="bitmex",
        symbol="XBTUSD",
        side=Side.BUY,
        order_type="GoodTillCancel",
        quantity="98",
        price="219.5",
        timestamp=EXPIRES * 1000,
    )


def test_a_sale_counts_the_same() -> None:
    """A sale counts the contracts that a buy counts, and says that it only makes."""
    facts = decode(TAG, MAKER).facts
    assert (facts.side, facts.order_type) == (Side.SELL, "ParticipateDoNotInitiate")
    assert facts.transfers == decode(TAG, ORDER).facts.transfers


def test_a_cancellation_moves_nothing() -> None:
    """A cancellation names its order and has no transfer."""
    facts = decode(TAG, CANCEL).facts
    assert facts == Facts(
        "bitmex.cancel",
        (),
        expires_at=EXPIRES,
        nonce="b15",
        venue="bitmex",
        timestamp=EXPIRES * 1000,
    )


@pytest.mark.parametrize(
    ("currency", "asset", "decimals"),
    [
        (b"XBt", "XBT@bitmex:wallet", 8),
        (b"USDt", "USDT@bitmex:wallet", 6),
        (b"Gwei", "ETH@bitmex:wallet", 9),
    ],
)
def test_a_withdrawal_is_read(currency: bytes, asset: str, decimals: int) -> None:
    """A withdrawal goes to an address on a network, in the venue's smallest units."""
    facts = decode(TAG, WITHDRAWAL.replace(b"XBt", currency)).facts
    destination = "btc:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert facts.action == "bitmex.withdrawal"
    assert facts.transfers == (Transfer(asset, 150_000, destination, decimals=decimals),)


@pytest.mark.parametrize(
    ("most", "codes"),
    [("98", []), ("97", [Code.LIMIT_PER_REQUEST, Code.LIMIT_WINDOW_TOTAL])],
)
def test_limits_hold(decided: Callable[..., Decision], most: str, codes: list[Code]) -> None:
    """Exactly the limit passes, one contract less does not."""
    decision = decided(
        decode(TAG, ORDER).facts,
        TAG,
        asset="XBTUSD@bitmex:contract",
        destination="bitmex:contract/XBTUSD",
        most=most,
    )
    assert [reason.code for reason in decision.reasons] == codes


@pytest.mark.parametrize(
    ("seconds", "codes"),
    [
        (0, []),
        (1, [Code.PAYLOAD_EXPIRED]),
        (-60, []),
        (-61, [Code.PAYLOAD_TIMESTAMP]),
        (-86_400, [Code.PAYLOAD_TIMESTAMP]),
    ],
)
def test_the_expiry_is_bounded(
    decided: Callable[..., Decision], seconds: int, codes: list[Code]
) -> None:
    """What expires more than a minute from now is refused, and what has expired."""
    decision = decided(
        decode(TAG, ORDER).facts,
        TAG,
        asset="XBTUSD@bitmex:contract",
        destination="bitmex:contract/XBTUSD",
        most="98",
        now_ms=(EXPIRES + seconds) * 1000,
    )
    assert [reason.code for reason in decision.reasons] == codes


@pytest.mark.parametrize("payload", ACCEPTED)
def test_requests_are_canonical(payload: bytes) -> None:
    """Writing what was read gives the payload."""
    found = request.decode(payload, bitmex.TABLES, (bitmex._EXPIRES,))
    assert request.encode(found) == payload


def _changed(old: bytes, new: bytes, payload: bytes = ORDER) -> bytes:
    assert old in payload
    return payload.replace(old, new)


HOSTILE = {
    "empty": (b"", Code.PAYLOAD_UNSUPPORTED),
    "no expiry": (_changed(b"1518064238\n", b""), Code.PAYLOAD_UNSUPPORTED),
    "expiry in milliseconds": (_changed(b"4238\n", b"4238000\n"), Code.PAYLOAD_MALFORMED),
    "expiry with a sign": (_changed(b"\n1518", b"\n+518"), Code.PAYLOAD_MALFORMED),
    "expiry in other digits": (
        _changed(b"1518064238", "١٥١٨٠٦٤٢٣٨".encode()),
        Code.PAYLOAD_MALFORMED,
    ),
    "no body": (ORDER.rpartition(b"\n")[0], Code.PAYLOAD_UNSUPPORTED),
    "empty body": (ORDER.rpartition(b"\n")[0] + b"\n", Code.PAYLOAD_UNSUPPORTED),
    "line feed after": (ORDER + b"\n", Code.PAYLOAD_MALFORMED),
    "query": (_changed(b"/order\n", b"/order?a=b\n"), Code.PAYLOAD_UNSUPPORTED),
    "batch": (_changed(b"/order\n", b"/order/bulk\n"), Code.PAYLOAD_UNSUPPORTED),
    "cancel all": (_changed(b"/order\n", b"/order/all\n", CANCEL), Code.PAYLOAD_UNSUPPORTED),
    "change": (_changed(b"POST", b"PUT"), Code.PAYLOAD_UNSUPPORTED),
    "path tricks": (_changed(b"/v1/", b"/v1/../v1/"), Code.PAYLOAD_UNSUPPORTED),
    "close a position": (
        _changed(b"/order\n", b"/order/closePosition\n"),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "withdrawal dressed as order": (
        _changed(b"user/requestWithdrawal", b"order", WITHDRAWAL),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "JSON": (
        b'POST /api/v1/order\n1518064238\n{"symbol":"XBTUSD"}',
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "parameter twice": (_changed(b"&price", b"&price=1&price"), Code.PAYLOAD_MALFORMED),
    "encoded name": (_changed(b"price", b"pric%65"), Code.PAYLOAD_UNSUPPORTED),
    "another order": (
        _changed(b"side=Buy&symbol=XBTUSD", b"symbol=XBTUSD&side=Buy"),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "no price": (_changed(b"&price=219.5", b""), Code.PAYLOAD_MALFORMED),
    "price with exponent": (_changed(b"219.5", b"2e9"), Code.PAYLOAD_MALFORMED),
    "price with needless zero": (_changed(b"219.5", b"219.50"), Code.PAYLOAD_MALFORMED),
    "half a contract": (_changed(b"=98", b"=98.5"), Code.PAYLOAD_MALFORMED),
    "no contract": (_changed(b"=98", b"=0"), Code.PAYLOAD_MALFORMED),
    "negative quantity": (_changed(b"=98", b"=-98"), Code.PAYLOAD_MALFORMED),
    "market order": (_changed(b"Limit", b"Market"), Code.PAYLOAD_MALFORMED),
    "stop": (_changed(b"Limit", b"StopLimit"), Code.PAYLOAD_MALFORMED),
    "pegged": (
        _changed(b"&price", b"&pegOffsetValue=1&price"),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "close": (_changed(b"b15&", b"b15&execInst=Close&"), Code.PAYLOAD_MALFORMED),
    "spot": (_changed(b"XBTUSD", b"XBT_USDT"), Code.PAYLOAD_MALFORMED),
    "look-alike symbol": (_changed(b"XBTUSD", "ХBTUSD".encode()), Code.PAYLOAD_MALFORMED),
    "lower case": (_changed(b"XBTUSD", b"xbtusd"), Code.PAYLOAD_MALFORMED),
    "no client id": (_changed(b"clOrdID=b15&", b""), Code.PAYLOAD_MALFORMED),
    "cancel by the venue's id": (
        _changed(b"clOrdID", b"orderID", CANCEL),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "one-time password": (WITHDRAWAL + b"&otpToken=123456", Code.PAYLOAD_UNSUPPORTED),
    "fee": (_changed(b"&network", b"&fee=9&network", WITHDRAWAL), Code.PAYLOAD_UNSUPPORTED),
    "memo": (_changed(b"&network", b"&memo=9&network", WITHDRAWAL), Code.PAYLOAD_UNSUPPORTED),
    "unknown currency": (_changed(b"XBt", b"XBT", WITHDRAWAL), Code.PAYLOAD_MALFORMED),
    "part of a unit": (_changed(b"150000", b"0.0015", WITHDRAWAL), Code.PAYLOAD_MALFORMED),
    "address without checksum": (
        _changed(
            b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            b"0xa0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            WITHDRAWAL,
        ),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(
    refusal: Callable[[str, bytes], Reason], payload: bytes, code: Code
) -> None:
    """Each way round has its reason."""
    assert refusal(TAG, payload).code is code


@settings(deadline=None)
@given(st.sampled_from(ACCEPTED), st.data())
def test_any_bytes(payload: bytes, data: st.DataObject) -> None:
    """Any bytes give facts or the one error, and the message ends with what is sent."""
    at = data.draw(st.integers(0, len(payload)))
    cut = data.draw(st.integers(0, 3))
    new = data.draw(st.binary(max_size=3) | st.sampled_from([b"&", b"=", b"\n", b"0"]))
    payload = payload[:at] + new + payload[at + cut :]
    try:
        decoded = decode(TAG, payload)
    except PayloadError:
        return
    assert decoded.message.endswith(payload.rpartition(b"\n")[2])
