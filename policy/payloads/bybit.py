"""``bybit.request``: a signed REST request to Bybit (``docs/bybit.request.md``).

The signature covers time, API key, receive window and body, one after the other, and
neither method nor path (V5 API, "Create A Request"). So each table's members make
the body useless at endpoints where it would mean something else.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and
``exchange.request.encode`` of what was read gives the payload.
"""

from collections.abc import Callable, Mapping

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Side
from policy.payloads.exchange import grammar, request, trade
from policy.payloads.exchange.request import Request, Tables
from policy.payloads.exchange.trade import Types

TAG = "bybit.request"
ORDER, CANCEL = "bybit.order", "bybit.cancel"
MARKETS = {"spot": "bybit:spot", "linear": "bybit:linear"}  # elsewhere a size is not the base's
QUOTES = ("USDT", "USDC")

_HEADERS = (
    grammar.milliseconds("timestamp"),
    grammar.text("api_key", "[A-Za-z0-9]{8,64}", "an API key, 8 to 64 of A-Z a-z 0-9"),
    grammar.text("recv_window", "[1-4][0-9]{0,3}|5000|[5-9][0-9]{0,2}", "milliseconds, 1 to 5000"),
)
_CATEGORY = grammar.one_of("category", *MARKETS)
_SYMBOL = grammar.text("symbol", "[A-Z0-9]{5,20}", "a symbol, 5 to 20 of A-Z 0-9")

# What stands with each kind of order, in one of these ways and no other.
_TYPES: Types = {
    "spot Limit": ({"price"},),
    "spot Market": ({"marketUnit"},),
    "linear Limit": ({"price"},),
    "linear Market": (frozenset(),),
}

TABLES: Tables = {
    "POST /v5/order/create": (
        _CATEGORY,
        grammar.client_id("orderLinkId"),
        grammar.one_of("marketUnit", "baseCoin", required=False),  # what qty counts
        grammar.one_of("orderType", "Limit", "Market"),
        grammar.decimal("price", required=False),
        grammar.decimal("qty"),
        grammar.one_of("side", "Buy", "Sell"),
        _SYMBOL,
        grammar.one_of("timeInForce", "GTC", "IOC", "FOK", "PostOnly"),
    ),
    "POST /v5/order/cancel": (_CATEGORY, grammar.client_id("orderLinkId"), _SYMBOL),
}


def decode(payload: bytes) -> Decoded:
    """Read a request envelope; the message is the signed headers and the body.

    Raises:
        PayloadError: it is not one, not canonical, or asks for what is not supported.
    """
    found = request.decode_json(payload, TABLES, _HEADERS)
    message = "".join((*found.headers.values(), found.text)).encode("ascii")
    return Decoded(_READERS[found.line](found), message)


def _order(found: Request) -> Facts:
    values = found.values
    trade.check_type(values, f"{values['category']} {values['orderType']}", _TYPES)
    base, quote = trade.split(values["symbol"], QUOTES)
    order_type = values["timeInForce"] if "price" in values else "Market"
    order = trade.Order(
        MARKETS[values["category"]],
        values["symbol"],
        base,
        quote,
        Side(values["side"].lower()),
        order_type,
        values["qty"],
        values.get("price"),
    )
    return order.facts(
        ORDER,
        timestamp=int(found.headers["timestamp"]),
        nonce=values["orderLinkId"],
        expires_at=_expires_at(found),
    )


def _cancel(found: Request) -> Facts:
    return Facts(
        CANCEL,
        (),
        expires_at=_expires_at(found),
        nonce=found.values["orderLinkId"],
        venue="bybit",
        symbol=found.values["symbol"],
        timestamp=int(found.headers["timestamp"]),
    )


def _expires_at(found: Request) -> int:
    """Return when the venue stops taking it, in whole seconds."""
    return (int(found.headers["timestamp"]) + int(found.headers["recv_window"])) // 1000


_READERS: Mapping[str, Callable[[Request], Facts]] = {
    "POST /v5/order/create": _order,
    "POST /v5/order/cancel": _cancel,
}

FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ORDER, CANCEL}),
    algorithms=frozenset({Algorithm.HMAC_SHA256, Algorithm.RSA_PKCS1_SHA256}),
)
