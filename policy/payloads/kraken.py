"""``kraken.request``: a signed REST request to Kraken (``docs/kraken.request.md``).

The signature covers the path, the nonce and the body (Spot REST authentication):
HMAC-SHA512 over path || SHA-256(nonce || body), where the nonce stands in the body.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and
``exchange.request.encode`` of what was read gives the payload.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Side
from policy.payloads.exchange import grammar, request, trade
from policy.payloads.exchange.request import Parameter
from policy.payloads.exchange.trade import Types

TAG = "kraken.request"
ORDER, CANCEL, WITHDRAWAL = "kraken.order", "kraken.cancel", "kraken.withdrawal"
SPOT = "kraken:spot"
QUOTES = ("USDT", "USDC", "USD", "EUR", "GBP", "XBT", "ETH")

# A nonce must rise, and nothing else ends a request's life: as a time it can be checked.
_NONCE = grammar.milliseconds("nonce")

# What stands with each type of order, in one of these ways and no other.
_TYPES: Types = {
    "limit": (
        {"price"},
        {"price", "oflags"},
        {"price", "timeinforce"},
        {"price", "oflags", "timeinforce"},
    ),
    "market": (frozenset(),),
}

TABLES: Mapping[str, Sequence[Parameter]] = {  # by name, in alphabetical order
    "POST /0/private/AddOrder": (
        grammar.text("cl_ord_id", "[A-Za-z0-9-]{1,36}", "an id of A-Z a-z 0-9 -", required=False),
        _NONCE,
        grammar.one_of("oflags", "post", required=False),  # others change what volume means
        grammar.one_of("ordertype", *_TYPES),
        grammar.text("pair", "[A-Z0-9]{5,16}", "a pair, 5 to 16 of A-Z 0-9"),
        grammar.decimal("price", required=False),
        grammar.one_of("timeinforce", "GTC", "IOC", required=False),
        grammar.one_of("type", "buy", "sell"),
        grammar.decimal("volume"),
    ),
    "POST /0/private/CancelOrder": (
        _NONCE,
        grammar.text("txid", "O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", "one order's id"),
    ),
    "POST /0/private/Withdraw": (
        grammar.address("address"),
        grammar.decimal("amount"),
        grammar.text("asset", "[A-Z0-9]{1,16}", "an asset, 1 to 16 of A-Z 0-9"),
        grammar.text("key", "[A-Za-z0-9_-]{1,64}", "a withdrawal key, 1 to 64 of A-Z a-z 0-9 _ -"),
        grammar.decimal("max_fee"),
        _NONCE,
    ),
}


def decode(payload: bytes) -> Decoded:
    """Read a request envelope; the message is the path and the hash of nonce and body.

    Raises:
        PayloadError: it is not one, not canonical, or asks for what is not supported.
    """
    found = request.decode(payload, TABLES)
    digest = hashlib.sha256((found.values["nonce"] + found.text).encode("ascii")).digest()
    return Decoded(_READERS[found.line](found.values), found.path.encode("ascii") + digest)


def _order(values: Mapping[str, str]) -> Facts:
    pair, nonce = values["pair"], values["nonce"]
    base, quote = trade.split(pair, QUOTES)
    order_type, side = values["ordertype"], Side(values["type"])
    trade.check_type(values, order_type, _TYPES)
    price = values.get("price")
    order = trade.Order(SPOT, pair, base, quote, side, order_type, values["volume"], price)
    return order.facts(ORDER, timestamp=int(nonce), nonce=nonce)


def _cancel(values: Mapping[str, str]) -> Facts:
    return Facts(CANCEL, (), nonce=values["nonce"], venue="kraken", timestamp=int(values["nonce"]))


def _withdrawal(values: Mapping[str, str]) -> Facts:
    asset, nonce = f"{values['asset']}@{SPOT}", values["nonce"]
    moved = trade.payment(asset, values["amount"], trade.address(values["address"]))
    fee = trade.fee(asset, values["max_fee"])
    return Facts(WITHDRAWAL, (moved, fee), nonce=nonce, venue="kraken", timestamp=int(nonce))


_READERS: Mapping[str, Callable[[Mapping[str, str]], Facts]] = {
    "POST /0/private/AddOrder": _order,
    "POST /0/private/CancelOrder": _cancel,
    "POST /0/private/Withdraw": _withdrawal,
}

FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ORDER, CANCEL, WITHDRAWAL}),
    algorithms=frozenset({Algorithm.HMAC_SHA512}),
)
