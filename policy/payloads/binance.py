"""``binance.request``: a signed REST request to Binance (``docs/binance.request.md``).

The signature covers the parameters alone, neither method, path nor host (REST API,
"SIGNED endpoint security"). So each endpoint's table asks for parameters that make
the string useless at endpoints where it would mean something else.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and
``exchange.request.encode`` of what was read gives the payload.
"""

from collections.abc import Callable, Mapping, Sequence

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Side
from policy.payloads.exchange import grammar, request, trade
from policy.payloads.exchange.request import Parameter, Request
from policy.payloads.exchange.trade import Types
from policy.reasons import Code, PayloadError

TAG = "binance.request"
ORDER, FUTURES_ORDER = "binance.order", "binance.futures_order"
CANCEL, WITHDRAWAL = "binance.cancel", "binance.withdrawal"
SPOT, USD_M = "binance:spot", "binance:usdm"

MAX_RECEIVE_WINDOW_MS = 5000  # the venue takes 60,000; a replay is possible that long
# No quote asset of the venue ends in one of these. EUR is left out: ADAEUR could be
# priced in AEUR, which is a quote asset too.
SPOT_QUOTES = ("USDT", "USDC", "FDUSD", "BTC", "ETH", "BNB", "TRY", "BRL", "JPY")
USD_M_QUOTES = ("USDT", "USDC")

_SIDE = grammar.one_of("side", "BUY", "SELL")
# No hyphen, underscore or dot: those are the symbols of options and coin-margined futures.
_SYMBOL = grammar.text("symbol", "[A-Z0-9]{3,20}", "a symbol, 3 to 20 of A-Z 0-9")
_TAIL = (
    grammar.text("recvWindow", "[1-9][0-9]{0,3}", "milliseconds, 1 to 5000"),
    grammar.milliseconds("timestamp"),
)


def _id(name: str) -> Parameter:
    return grammar.text(name, "[A-Za-z0-9_-]{1,32}", "an id, 1 to 32 of A-Z a-z 0-9 _ -")


# What stands with each type of order, in one of these ways and no other.
_SPOT_TYPES: Types = {
    "LIMIT": ({"timeInForce", "quantity", "price"},),
    "LIMIT_MAKER": ({"quantity", "price"},),
    "MARKET": ({"quantity"}, {"quoteOrderQty"}),
}
_USD_M_TYPES: Types = {"LIMIT": ({"timeInForce", "quantity", "price"},), "MARKET": ({"quantity"},)}

TABLES: Mapping[str, Sequence[Parameter]] = {
    "POST /api/v3/order": (
        _SYMBOL,
        _SIDE,
        grammar.one_of("type", *_SPOT_TYPES),
        grammar.one_of("timeInForce", "GTC", "IOC", "FOK", required=False),
        grammar.decimal("quantity", required=False),
        grammar.decimal("quoteOrderQty", required=False),
        grammar.decimal("price", required=False),
        _id("newClientOrderId"),
        grammar.one_of("newOrderRespType", "FULL"),  # futures have ACK and RESULT only
        *_TAIL,
    ),
    "POST /fapi/v1/order": (
        _SYMBOL,
        _SIDE,
        grammar.one_of("positionSide", "BOTH", "LONG", "SHORT"),  # spot has no such parameter
        grammar.one_of("type", *_USD_M_TYPES),
        grammar.decimal("quantity"),
        grammar.decimal("price", required=False),
        grammar.one_of("timeInForce", "GTC", "IOC", "FOK", "GTX", required=False),
        _id("newClientOrderId"),
        *_TAIL,
    ),
    "DELETE /api/v3/order": (_SYMBOL, _id("origClientOrderId"), *_TAIL),
    "DELETE /fapi/v1/order": (_SYMBOL, _id("origClientOrderId"), *_TAIL),
    "POST /sapi/v1/capital/withdraw/apply": (
        grammar.text("coin", "[A-Z0-9]{1,20}", "a coin, 1 to 20 of A-Z 0-9"),
        _id("withdrawOrderId"),
        grammar.text("network", "[A-Z0-9]{1,20}", "a network, 1 to 20 of A-Z 0-9"),
        grammar.address("address"),
        grammar.decimal("amount"),
        grammar.one_of("walletType", "0"),
        *_TAIL,
    ),
}


def decode(payload: bytes) -> Decoded:
    """Read a request envelope; the message is its parameters.

    Raises:
        PayloadError: it is not one, not canonical, or asks for what is not supported.
    """
    found = request.decode(payload, TABLES)
    if int(found.values["recvWindow"]) > MAX_RECEIVE_WINDOW_MS:
        detail = f"is above {MAX_RECEIVE_WINDOW_MS} ms"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "request.'recvWindow'", detail)
    return Decoded(_READERS[found.line](found), found.text.encode("ascii"))


def _order(found: Request) -> Facts:
    values = found.values
    trade.check_type(values, values["type"], _SPOT_TYPES)
    if "quoteOrderQty" in values and values["side"] == "SELL":
        detail = "of a sale says nothing about what is sold"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "request.'quoteOrderQty'", detail)
    return _trade(found, ORDER, SPOT, SPOT_QUOTES)


def _futures_order(found: Request) -> Facts:
    trade.check_type(found.values, found.values["type"], _USD_M_TYPES)
    return _trade(found, FUTURES_ORDER, USD_M, USD_M_QUOTES)


def _trade(found: Request, action: str, market: str, quotes: Sequence[str]) -> Facts:
    values = found.values
    base, quote = trade.split(values["symbol"], quotes)
    order = trade.Order(
        market,
        values["symbol"],
        base,
        quote,
        Side(values["side"].lower()),
        values["type"],
        values.get("quantity"),
        values.get("price"),
        values.get("quoteOrderQty"),
    )
    return order.facts(
        action,
        timestamp=int(values["timestamp"]),
        nonce=values["newClientOrderId"],
        expires_at=_expires_at(values),
    )


def _cancel(found: Request) -> Facts:
    values = found.values
    return Facts(
        CANCEL,
        (),
        expires_at=_expires_at(values),
        nonce=values["origClientOrderId"],
        venue="binance",
        symbol=values["symbol"],
        timestamp=int(values["timestamp"]),
    )


def _withdrawal(found: Request) -> Facts:
    values = found.values
    destination = f"{values['network']}:{trade.address(values['address'])}"
    moved = trade.payment(f"{values['coin']}@{SPOT}", values["amount"], destination)
    return Facts(
        WITHDRAWAL,
        (moved,),
        expires_at=_expires_at(values),
        nonce=values["withdrawOrderId"],
        venue="binance",
        timestamp=int(values["timestamp"]),
    )


def _expires_at(values: Mapping[str, str]) -> int:
    """Return when the venue stops taking it, in whole seconds ("Timing security")."""
    return (int(values["timestamp"]) + int(values["recvWindow"])) // 1000


_READERS: Mapping[str, Callable[[Request], Facts]] = {
    "POST /api/v3/order": _order,
    "POST /fapi/v1/order": _futures_order,
    "DELETE /api/v3/order": _cancel,
    "DELETE /fapi/v1/order": _cancel,
    "POST /sapi/v1/capital/withdraw/apply": _withdrawal,
}

FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ORDER, FUTURES_ORDER, CANCEL, WITHDRAWAL}),
    algorithms=frozenset({Algorithm.HMAC_SHA256, Algorithm.RSA_PKCS1_SHA256, Algorithm.ED25519}),
)
