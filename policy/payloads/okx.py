"""``okx.request``: a signed REST request to OKX (``docs/okx.request.md``).

The signature covers time, method, path and body, one after the other (API v5, "REST
authentication"). The time has a fixed length and the path is one of a table, so
that the parts cannot be told apart in another way.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and
``exchange.request.encode`` of what was read gives the payload.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Side
from policy.payloads.exchange import grammar, request, trade
from policy.payloads.exchange.request import Request, Tables
from policy.payloads.exchange.trade import Types
from policy.reasons import Code, PayloadError

TAG = "okx.request"
VENUE, SPOT = "okx", "okx:spot"
ORDER, CANCEL, WITHDRAWAL = "okx.order", "okx.cancel", "okx.withdrawal"
LIFETIME_S = 30  # the venue refuses what is older

_TIME = grammar.text(
    "timestamp",
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",
    "a time such as 2020-12-08T09:08:57.715Z",
)
_MARKET = grammar.text("instId", "[A-Z0-9]{1,16}-[A-Z0-9]{1,16}", "a spot pair, like BTC-USDT")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What stands with each type of order, in one of these ways and no other.
_PRICED = ({"px"},)
_TYPES: Types = {
    "limit": _PRICED,
    "post_only": _PRICED,
    "fok": _PRICED,
    "ioc": _PRICED,
    "market": ({"tgtCcy"},),
}

TABLES: Tables = {
    "POST /api/v5/trade/order": (
        grammar.client_id("clOrdId"),
        _MARKET,
        grammar.one_of("ordType", *_TYPES),
        grammar.decimal("px", required=False),
        grammar.one_of("side", "buy", "sell"),
        grammar.decimal("sz"),
        grammar.one_of("tdMode", "cash"),
        grammar.one_of("tgtCcy", "base_ccy", required=False),  # what sz of a market order counts
    ),
    "POST /api/v5/trade/cancel-order": (grammar.client_id("clOrdId"), _MARKET),
    "POST /api/v5/asset/withdrawal": (
        grammar.decimal("amt"),
        grammar.text("ccy", "[A-Z0-9]{1,16}", "a currency, 1 to 16 of A-Z 0-9"),
        grammar.text("chain", "[A-Za-z0-9-]{1,40}", "a chain, like USDT-ERC20"),
        grammar.client_id("clientId"),
        grammar.one_of("dest", "4"),  # on a chain; the other is another account by its name
        grammar.address("toAddr"),
    ),
}


def decode(payload: bytes) -> Decoded:
    """Read a request envelope; the message is time, method, path and body.

    Raises:
        PayloadError: it is not one, not canonical, or asks for what is not supported.
    """
    found = request.decode_json(payload, TABLES, (_TIME,))
    time = found.headers["timestamp"]
    facts = _READERS[found.line](found, _milliseconds(time))
    return Decoded(facts, f"{time}{found.method}{found.path}{found.text}".encode("ascii"))


def _milliseconds(text: str) -> int:
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
    except ValueError as error:
        raise PayloadError(Code.PAYLOAD_MALFORMED, "request.'timestamp'", str(error)) from None


def _expires_at(timestamp: int) -> int:
    return timestamp // 1000 + LIFETIME_S


def _order(found: Request, timestamp: int) -> Facts:
    values = found.values
    trade.check_type(values, values["ordType"], _TYPES)
    base, _, quote = values["instId"].partition("-")
    order = trade.Order(
        SPOT,
        values["instId"],
        base,
        quote,
        Side(values["side"]),
        values["ordType"],
        values["sz"],
        values.get("px"),
    )
    return order.facts(
        ORDER, timestamp=timestamp, nonce=values["clOrdId"], expires_at=_expires_at(timestamp)
    )


def _cancel(found: Request, timestamp: int) -> Facts:
    return Facts(
        CANCEL,
        (),
        expires_at=_expires_at(timestamp),
        nonce=found.values["clOrdId"],
        venue=VENUE,
        symbol=found.values["instId"],
        timestamp=timestamp,
    )


def _withdrawal(found: Request, timestamp: int) -> Facts:
    values = found.values
    destination = f"{values['chain']}:{trade.address(values['toAddr'])}"
    moved = trade.payment(f"{values['ccy']}@{SPOT}", values["amt"], destination)
    return Facts(
        WITHDRAWAL,
        (moved,),
        expires_at=_expires_at(timestamp),
        nonce=values["clientId"],
        venue=VENUE,
        timestamp=timestamp,
    )


_READERS: Mapping[str, Callable[[Request, int], Facts]] = {
    "POST /api/v5/trade/order": _order,
    "POST /api/v5/trade/cancel-order": _cancel,
    "POST /api/v5/asset/withdrawal": _withdrawal,
}

FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ORDER, CANCEL, WITHDRAWAL}),
    algorithms=frozenset({Algorithm.HMAC_SHA256}),
)
