"""Market orders at the exchanges: what is read, and that only a worst price lets one pass."""

from collections.abc import Callable

import pytest

from policy.amounts import MAX_AMOUNT
from policy.markets import PRICE_DECIMALS, priced
from policy.model import Side, Transfer
from policy.payloads import decode
from policy.reasons import Code, Reason

ONE = 10**PRICE_DECIMALS
OKX_HEAD = b"POST /api/v5/trade/order\n2020-12-08T09:08:57.715Z\n"
BYBIT_HEAD = b"POST /v5/order/create\n1658384314791\nXXXXXXXXXX\n5000\n"
BINANCE = (
    b"POST /api/v3/order\nsymbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5"
    b"&newClientOrderId=a-1&newOrderRespType=FULL&recvWindow=5000&timestamp=1700000000999"
)
FUTURES = (
    b"POST /fapi/v1/order\nsymbol=ETHUSDC&side=BUY&positionSide=BOTH&type=MARKET&quantity=0.5"
    b"&newClientOrderId=f-1&recvWindow=1000&timestamp=1700000000000"
)
KRAKEN = (
    b"POST /0/private/AddOrder\n"
    b"nonce=1616492376594&ordertype=market&pair=XBTUSD&type=buy&volume=0.5"
)
OKX = OKX_HEAD + (
    b'{"clOrdId":"b15","instId":"BTC-USDT","ordType":"market","side":"buy","sz":"0.5",'
    b'"tdMode":"cash","tgtCcy":"base_ccy"}'
)
BYBIT = BYBIT_HEAD + (
    b'{"category":"spot","marketUnit":"baseCoin","orderLinkId":"a1","orderType":"Market",'
    b'"qty":"0.5","side":"Buy","symbol":"BTCUSDT","timeInForce":"IOC"}'
)
LINEAR = BYBIT.replace(b'"spot","marketUnit":"baseCoin"', b'"linear"')
DERIBIT = (
    b"GET /api/v2/private/buy\n1554883365000\nfdbmmz79\namount=0.5"
    b"&instrument_name=SOL_USDC-PERPETUAL&label=m0&time_in_force=immediate_or_cancel&type=market"
)
# By name: the format, a buy, the asset it spends, its market, and its type in the facts.
ORDERS = {
    "binance": ("binance.request", BINANCE, "USDT@binance:spot", "binance:spot/BTCUSDT", "MARKET"),
    "futures": ("binance.request", FUTURES, "USDC@binance:usdm", "binance:usdm/ETHUSDC", "MARKET"),
    "kraken": ("kraken.request", KRAKEN, "USD@kraken:spot", "kraken:spot/XBTUSD", "market"),
    "okx": ("okx.request", OKX, "USDT@okx:spot", "okx:spot/BTC-USDT", "market"),
    "bybit": ("bybit.request", BYBIT, "USDT@bybit:spot", "bybit:spot/BTCUSDT", "Market"),
    "linear": ("bybit.request", LINEAR, "USDT@bybit:linear", "bybit:linear/BTCUSDT", "Market"),
    "deribit": (
        "deribit.request",
        DERIBIT,
        "USDC@deribit:perp",
        "deribit:perp/SOL_USDC-PERPETUAL",
        "market",
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_market_order_is_read(name: str) -> None:
    """Without a price it may spend everything; at a worst price it spends so much."""
    tag, payload, asset, market, order_type = ORDERS[name]
    facts = decode(tag, payload).facts
    assert facts.transfers == (Transfer(asset, MAX_AMOUNT, market),)
    assert (facts.side, facts.price, facts.quantity) == (Side.BUY, None, "0.5")
    assert facts.order_type == order_type
    (moved,) = priced({market: {Side.BUY: 3 * ONE}}, facts)[0].transfers
    assert moved == Transfer(asset, 3 * ONE // 2, market, decimals=PRICE_DECIMALS)
    assert priced({}, facts)[1][0].code is Code.PRICE_NOT_ALLOWED


@pytest.mark.parametrize("name", ORDERS)
def test_a_market_sale_gives_its_quantity(name: str) -> None:
    """What is sold is exact, whatever it brings."""
    tag, payload, *_ = ORDERS[name]
    for buy, sell in ((b"BUY", b"SELL"), (b"buy", b"sell"), (b"Buy", b"Sell")):
        payload = payload.replace(buy, sell)
    (moved,) = decode(tag, payload).facts.transfers
    assert (moved.amount, moved.decimals) == (ONE // 2, PRICE_DECIMALS)


def test_a_market_order_may_be_for_a_sum() -> None:
    """Binance buys for a sum of the quote asset, which is then exactly what is spent."""
    payload = BINANCE.replace(b"quantity=0.5", b"quoteOrderQty=100.5")
    facts = decode("binance.request", payload).facts
    assert facts.quantity is None
    (moved,) = facts.transfers
    assert (moved.asset, moved.amount) == ("USDT@binance:spot", 201 * ONE // 2)


HOSTILE = {
    "a price": ("binance", b"quantity=0.5", b"quantity=0.5&price=1"),
    "a time in force": ("binance", b"MARKET", b"MARKET&timeInForce=GTC"),
    "two quantities": ("binance", b"quantity=0.5", b"quantity=0.5&quoteOrderQty=9"),
    "no quantity": ("binance", b"&quantity=0.5", b""),
    "a limit without price": ("binance", b"MARKET", b"LIMIT&timeInForce=GTC"),
    "a maker without price": ("binance", b"MARKET", b"LIMIT_MAKER"),
    "a future's price": ("futures", b"quantity=0.5", b"quantity=0.5&price=1"),
    "a price at Kraken": ("kraken", b"&type=buy", b"&price=1&type=buy"),
    "post-only at Kraken": ("kraken", b"&ordertype", b"&oflags=post&ordertype"),
    "volume in quote": ("kraken", b"&ordertype", b"&oflags=viqc&ordertype"),
    "size in quote": ("okx", b"base_ccy", b"quote_ccy"),
    "size in either": ("okx", b',"tgtCcy":"base_ccy"', b""),
    "a limit with a unit": ("okx", b'"market"', b'"limit"'),
    "a price at OKX": ("okx", b'"side"', b'"px":"1","side"'),
    "quantity in quote": ("bybit", b"baseCoin", b"quoteCoin"),
    "quantity in either": ("bybit", b'"marketUnit":"baseCoin",', b""),
    "a unit of a future": ("bybit", b'"spot"', b'"linear"'),
    "a price at Bybit": ("bybit", b'"qty"', b'"price":"1","qty"'),
    "post-only at Deribit": ("deribit", b"&time_in", b"&post_only=true&time_in"),
    "a price at Deribit": ("deribit", b"&time_in", b"&price=1&time_in"),
    "a stop": ("deribit", b"type=market", b"type=stop_market"),
}


@pytest.mark.parametrize(("name", "old", "new"), HOSTILE.values(), ids=HOSTILE)
def test_no_other_shape_passes(
    refusal: Callable[[str, bytes], Reason], name: str, old: bytes, new: bytes
) -> None:
    """What belongs to another type of order, or counts in another unit, is refused."""
    tag, payload, *_ = ORDERS[name]
    assert old in payload
    assert refusal(tag, payload.replace(old, new)).code is Code.PAYLOAD_MALFORMED


def test_a_sale_for_a_sum_is_refused(refusal: Callable[[str, bytes], Reason]) -> None:
    """Selling until a sum came in says nothing about how much is sold; futures have no sums."""
    sale, sum_ = BINANCE.replace(b"BUY", b"SELL"), (b"quantity=0.5", b"quoteOrderQty=9")
    for payload in (sale.replace(*sum_), FUTURES.replace(*sum_)):
        assert refusal("binance.request", payload).code is Code.PAYLOAD_UNSUPPORTED
