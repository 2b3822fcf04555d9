"""Generated orders as a venue's client sends and signs them, written with standard parts.

Each client follows the venue's documentation with ``urllib`` and ``json`` alone. What it
signs is our message, and what leaves is what ``Fraction`` says.
"""

import hashlib
import json
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Side, Transfer
from policy.payloads import decode
from tests.policy.payloads.examples import oracle
from tests.policy.payloads_exchanges import made_up


class Order(NamedTuple):
    """What every venue's client is asked for."""

    side: Side
    price: str
    quantity: str
    identifier: str
    time: int  # milliseconds since the epoch

    @property
    def word(self) -> str:
        """``Buy`` or ``Sell``."""
        return self.side.capitalize()

    @property
    def cost(self) -> Fraction:
        """Price times quantity."""
        return Fraction(self.price) * Fraction(self.quantity)


class Sent(NamedTuple):
    """The payload, what a client signs, and the asset and amount that leave."""

    payload: str
    signed: bytes
    asset: str
    amount: Fraction


def _given(order: Order, base: str, quote: str) -> tuple[str, Fraction]:
    if order.side is Side.BUY:
        return quote, order.cost
    return base, Fraction(order.quantity)


def _compact(members: dict[str, str]) -> str:
    return json.dumps(members, sort_keys=True, separators=(",", ":"))


def _binance(order: Order) -> Sent:
    query = urlencode(
        {
            "symbol": "BTCUSDT",
            "side": order.side.upper(),
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": order.quantity,
            "price": order.price,
            "newClientOrderId": order.identifier,
            "newOrderRespType": "FULL",
            "recvWindow": 5000,
            "timestamp": order.time,
        }
    )
    left = _given(order, "BTC@binance:spot", "USDT@binance:spot")
    return Sent(f"POST /api/v3/order\n{query}", query.encode(), *left)


def _kraken(order: Order) -> Sent:
    path = "/0/private/AddOrder"
    body = urlencode(
        {
            "cl_ord_id": order.identifier,
            "nonce": order.time,
            "ordertype": "limit",
            "pair": "XBTUSD",
            "price": order.price,
            "type": order.side.value,
            "volume": order.quantity,
        }
    )
    hashed = hashlib.sha256(f"{order.time}{body}".encode()).digest()
    left = _given(order, "XBT@kraken:spot", "USD@kraken:spot")
    return Sent(f"POST {path}\n{body}", path.encode() + hashed, *left)


def _okx(order: Order) -> Sent:
    time, path = "2024-02-29T23:59:59.999Z", "/api/v5/trade/order"
    body = _compact(
        {
            "clOrdId": order.identifier,
            "instId": "BTC-USDT",
            "ordType": "limit",
            "px": order.price,
            "side": order.side.value,
            "sz": order.quantity,
            "tdMode": "cash",
        }
    )
    left = _given(order, "BTC@okx:spot", "USDT@okx:spot")
    return Sent(f"POST {path}\n{time}\n{body}", f"{time}POST{path}{body}".encode(), *left)


def _bybit(order: Order) -> Sent:
    body = _compact(
        {
            "category": "linear",
            "orderLinkId": order.identifier,
            "orderType": "Limit",
            "price": order.price,
            "qty": order.quantity,
            "side": order.word,
            "symbol": "ETHUSDT",
            "timeInForce": "GTC",
        }
    )
    headers = (str(order.time), "XXXXXXXXXX", "5000")
    payload = "\n".join(("POST /v5/order/create", *headers, body))
    left = _given(order, "ETH@bybit:linear", "USDT@bybit:linear")
    return Sent(payload, ("".join(headers) + body).encode(), *left)


def _deribit(order: Order) -> Sent:
    path = f"/api/v2/private/{order.side}"
    query = urlencode(
        {
            "amount": order.quantity,
            "instrument_name": "SOL_USDC-PERPETUAL",
            "label": order.identifier,
            "price": order.price,
            "time_in_force": "good_til_cancelled",
            "type": "limit",
        }
    )
    signed = f"{order.time}\nfdbmmz79\nGET\n{path}?{query}\n\n"
    payload = f"GET {path}\n{order.time}\nfdbmmz79\n{query}"
    return Sent(payload, signed.encode(), *_given(order, "SOL@deribit:perp", "USDC@deribit:perp"))


CLIENTS: dict[str, Callable[[Order], Sent]] = {
    "binance.request": _binance,
    "bybit.request": _bybit,
    "deribit.request": _deribit,
    "kraken.request": _kraken,
    "okx.request": _okx,
}
_orders = st.builds(
    Order,
    st.sampled_from(Side),
    made_up.decimals,
    made_up.decimals,
    made_up.ids,
    st.integers(10**12, 10**13 - 1),
)


@pytest.mark.parametrize("tag", CLIENTS)
@oracle
@given(order=_orders)
def test_a_clients_order_is_read_and_signed(tag: str, order: Order) -> None:
    """The message is what the client signs, and what leaves is exact."""
    sent = CLIENTS[tag](order)
    decoded = decode(tag, sent.payload.encode())
    (moved,) = decoded.facts.transfers
    assert isinstance(moved, Transfer)
    assert moved.decimals is not None
    assert decoded.message == sent.signed
    assert (moved.asset, Fraction(moved.amount, 10**moved.decimals)) == (sent.asset, sent.amount)
    assert (decoded.facts.price, decoded.facts.quantity) == (order.price, order.quantity)
    assert decoded.facts.side is order.side
