"""``bitmex.request``: a signed REST request to BitMEX (``docs/bitmex.request.md``).

The signature covers method, path, expiry and body, one after the other (REST API,
"Authentication", ``api-expires``). The path is one of a table and the expiry has a
fixed length, so that the parts cannot be told apart in another way.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and
``exchange.request.encode`` of what was read gives the payload.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Side, Transfer
from policy.payloads.exchange import grammar, request, trade
from policy.payloads.exchange.request import Request, Tables

TAG = "bitmex.request"
VENUE, CONTRACTS, WALLET = "bitmex", "bitmex:contract", "bitmex:wallet"
ORDER, CANCEL, WITHDRAWAL = "bitmex.order", "bitmex.cancel", "bitmex.withdrawal"
# The venue's units: what they are of, and with how many decimals.
CURRENCIES = {"XBt": ("XBT", 8), "USDt": ("USDT", 6), "Gwei": ("ETH", 9)}

_WHOLE = r"[1-9][0-9]{0,17}"
_EXPIRES = grammar.text("expires", "[1-9][0-9]{9}", "seconds since the epoch, 10 digits")
_SYMBOL = grammar.text("symbol", "[A-Z0-9]{3,20}", "a contract, 3 to 20 of A-Z 0-9")

TABLES: Tables = {  # by name, in alphabetical order
    "POST /api/v1/order": (
        grammar.client_id("clOrdID"),
        grammar.one_of("execInst", "ParticipateDoNotInitiate", required=False),
        grammar.one_of("ordType", "Limit"),
        grammar.text("orderQty", _WHOLE, "a whole number of contracts, from 1"),
        grammar.decimal("price"),
        grammar.one_of("side", "Buy", "Sell"),
        _SYMBOL,
        grammar.one_of("timeInForce", "GoodTillCancel", "ImmediateOrCancel", "FillOrKill"),
    ),
    "DELETE /api/v1/order": (grammar.client_id("clOrdID"),),
    "POST /api/v1/user/requestWithdrawal": (
        grammar.address("address"),
        grammar.text("amount", _WHOLE, "a whole number of the currency's units, from 1"),
        grammar.one_of("currency", *CURRENCIES),
        grammar.text("network", "[a-z0-9]{1,16}", "a network, 1 to 16 of a-z 0-9"),
    ),
}


def decode(payload: bytes) -> Decoded:
    """Read a request envelope; the message is method, path, expiry and body.

    Raises:
        PayloadError: it is not one, not canonical, or asks for what is not supported.
    """
    found = request.decode(payload, TABLES, (_EXPIRES,))
    expires = found.headers["expires"]
    text = message(found.method, found.path, expires, found.text)
    return Decoded(_READERS[found.line](found, int(expires)), text)


def message(method: str, path: str, expires: str, body: str) -> bytes:
    """Return what the venue wants signed."""
    return f"{method}{path}{expires}{body}".encode("ascii")


def _order(found: Request, expires: int) -> Facts:
    values = found.values
    symbol, quantity = values["symbol"], values["orderQty"]
    order_type = values.get("execInst", values["timeInForce"])
    side, price = Side(values["side"].lower()), values["price"]
    order = trade.Order(CONTRACTS, symbol, symbol, symbol, side, order_type, quantity, price)
    facts = order.facts(
        ORDER, timestamp=_timestamp(expires), nonce=values["clOrdID"], expires_at=expires
    )
    # What a contract is worth no request says: either side counts contracts.
    moved = trade.payment(f"{symbol}@{CONTRACTS}", quantity, f"{CONTRACTS}/{symbol}")
    return replace(facts, transfers=(moved,))


def _cancel(found: Request, expires: int) -> Facts:
    return replace(_facts(CANCEL, expires), nonce=found.values["clOrdID"])


def _withdrawal(found: Request, expires: int) -> Facts:
    values = found.values
    name, decimals = CURRENCIES[values["currency"]]
    destination = f"{values['network']}:{trade.address(values['address'])}"
    moved = Transfer(f"{name}@{WALLET}", int(values["amount"]), destination, decimals=decimals)
    return replace(_facts(WITHDRAWAL, expires), transfers=(moved,))


def _facts(action: str, expires: int) -> Facts:
    return Facts(action, (), expires_at=expires, venue=VENUE, timestamp=_timestamp(expires))


def _timestamp(expires: int) -> int:
    """Date a request by its expiry, so that the engine lets that be a minute off at most."""
    return expires * 1000


_READERS: Mapping[str, Callable[[Request, int], Facts]] = {
    "POST /api/v1/order": _order,
    "DELETE /api/v1/order": _cancel,
    "POST /api/v1/user/requestWithdrawal": _withdrawal,
}

FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ORDER, CANCEL, WITHDRAWAL}),
    algorithms=frozenset({Algorithm.HMAC_SHA256}),
)
