"""``deribit.request``: a signed HTTP request to Deribit (``docs/deribit.request.md``).

The signature covers time, nonce, method, path with parameters, and body, with a line
feed behind each (API v2, "Authentication", ``deri-hmac-sha256``).

Invariant: any bytes give facts or ``PayloadError``, nothing else, and
``exchange.request.encode`` of what was read gives the payload.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Side
from policy.payloads.exchange import grammar, request, trade
from policy.payloads.exchange.request import Request, Tables
from policy.payloads.exchange.trade import Types

TAG = "deribit.request"
VENUE = "deribit"
ORDER, CANCEL, WITHDRAWAL = "deribit.order", "deribit.cancel", "deribit.withdrawal"
SPOT, PERPETUAL = "deribit:spot", "deribit:perp"
INVERSE = frozenset({"BTC-PERPETUAL", "ETH-PERPETUAL"})  # their amounts are in USD

_HEADERS = (
    grammar.milliseconds("timestamp"),
    grammar.text("nonce", "[A-Za-z0-9]{1,32}", "1 to 32 of A-Z a-z 0-9"),
)
# What stands with each type of order, in one of these ways and no other.
_TYPES: Types = {"limit": ({"price"}, {"price", "post_only"}), "market": (frozenset(),)}
_ORDER = (  # by name, in alphabetical order
    grammar.decimal("amount"),
    grammar.text(
        "instrument_name",
        "(BTC|ETH)-PERPETUAL|[A-Z0-9]{1,12}_USDC-PERPETUAL|[A-Z0-9]{1,12}_USD[CT]",
        "a perpetual or a spot pair in USDC or USDT",
    ),
    grammar.client_id("label"),
    grammar.one_of("post_only", "true", required=False),
    grammar.decimal("price", required=False),
    grammar.one_of("time_in_force", "good_til_cancelled", "fill_or_kill", "immediate_or_cancel"),
    grammar.one_of("type", *_TYPES),
)

TABLES: Tables = {
    "GET /api/v2/private/buy": _ORDER,
    "GET /api/v2/private/sell": _ORDER,
    "GET /api/v2/private/cancel": (
        grammar.text("order_id", "[A-Za-z0-9_-]{1,40}", "one order's id"),
    ),
    "GET /api/v2/private/withdraw": (
        grammar.address("address"),
        grammar.decimal("amount"),
        grammar.text("currency", "[A-Z0-9]{1,12}", "a currency, 1 to 12 of A-Z 0-9"),
    ),
}


def decode(payload: bytes) -> Decoded:
    """Read a request envelope; the message is time, nonce, method, path and empty body.

    Raises:
        PayloadError: it is not one, not canonical, or asks for what is not supported.
    """
    found = request.decode(payload, TABLES, _HEADERS)
    target = f"{found.path}?{found.text}"
    lines = (*found.headers.values(), found.method, target, "", "")
    return Decoded(_READERS[found.line](found), "\n".join(lines).encode("ascii"))


def _buy(found: Request) -> Facts:
    return _order(found, Side.BUY)


def _sell(found: Request) -> Facts:
    return _order(found, Side.SELL)


def _order(found: Request, side: Side) -> Facts:
    values = found.values
    name, amount = values["instrument_name"], values["amount"]
    pair, _, kind = name.partition("-")
    base, _, quote = pair.partition("_")
    market = PERPETUAL if kind else SPOT
    trade.check_type(values, values["type"], _TYPES)
    order_type = "post_only" if "post_only" in values else values["time_in_force"]
    price = values.get("price")
    if price is None:
        order_type = "market"
    order = trade.Order(market, name, base, quote, side, order_type, amount, price)
    facts = order.facts(ORDER, timestamp=_timestamp(found), nonce=found.headers["nonce"])
    if name not in INVERSE:
        return facts
    # What it is worth is its amount, whichever side and price.
    moved = trade.payment(f"USD@{market}", amount, f"{market}/{name}")
    return replace(facts, transfers=(moved,))


def _cancel(found: Request) -> Facts:
    return _facts(found, CANCEL)


def _withdrawal(found: Request) -> Facts:
    values = found.values
    destination = trade.address(values["address"])
    moved = trade.payment(f"{values['currency']}@{SPOT}", values["amount"], destination)
    return replace(_facts(found, WITHDRAWAL), transfers=(moved,))


def _facts(found: Request, action: str) -> Facts:
    return Facts(action, (), nonce=found.headers["nonce"], venue=VENUE, timestamp=_timestamp(found))


def _timestamp(found: Request) -> int:
    return int(found.headers["timestamp"])


_READERS: Mapping[str, Callable[[Request], Facts]] = {
    "GET /api/v2/private/buy": _buy,
    "GET /api/v2/private/sell": _sell,
    "GET /api/v2/private/cancel": _cancel,
    "GET /api/v2/private/withdraw": _withdrawal,
}

FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ORDER, CANCEL, WITHDRAWAL}),
    algorithms=frozenset({Algorithm.HMAC_SHA256}),
)
