"""Generated requests to BitMEX as a stock HTTP client sends them and the venue reads them.

The venue's side is its published documentation in ``hmac`` and ``urllib`` alone: method,
path with query, expiry and body, one after the other, by HMAC-SHA256 in hexadecimal.
"""

import hashlib
import hmac
from fractions import Fraction
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import Request

from hypothesis import given
from hypothesis import strategies as st

from policy.payloads import decode
from policy.payloads.bitmex import TAG
from tests.policy.payloads.examples import oracle
from tests.policy.payloads.stock_keys import SECRET
from tests.policy.payloads_exchanges import made_up

HOST = "https://www.bitmex.com"
ORDER, WITHDRAWAL = "/api/v1/order", "/api/v1/user/requestWithdrawal"
SCALE = {"XBt": ("XBT", 10**8), "USDt": ("USDT", 10**6), "Gwei": ("ETH", 10**9)}
Form = dict[str, str]

_orders = st.fixed_dictionaries(
    {
        "clOrdID": made_up.ids,
        "ordType": st.just("Limit"),
        "orderQty": made_up.whole,
        "price": made_up.decimals,
        "side": st.sampled_from(["Buy", "Sell"]),
        "symbol": st.from_regex(r"[A-Z0-9]{3,20}", fullmatch=True),
        "timeInForce": st.sampled_from(["GoodTillCancel", "ImmediateOrCancel", "FillOrKill"]),
    },
    optional={"execInst": st.just("ParticipateDoNotInitiate")},
)
_withdrawals = st.fixed_dictionaries(
    {
        "address": made_up.addresses,
        "amount": made_up.whole,
        "currency": st.sampled_from(sorted(SCALE)),
        "network": st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True),
    }
)


def _sent(method: str, path: str, expires: str, members: Form) -> tuple[Request, bytes]:
    """Return a request by a stock client, signed over our message, and our payload."""
    body = urlencode(sorted(members.items()))
    payload = f"{method} {path}\n{expires}\n{body}".encode()
    signature = hmac.new(SECRET, decode(TAG, payload).message, hashlib.sha256).hexdigest()
    headers = {"api-expires": expires, "api-signature": signature}
    return Request(HOST + path, body.encode(), headers, method=method), payload


def _accepted(request: Request) -> Form:
    """Read a request as the venue does, which checks the signature first."""
    assert isinstance(request.data, bytes)
    parts = urlsplit(request.full_url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    verified = (request.get_method() + path + (request.get_header("Api-expires") or "")).encode()
    wanted = hmac.new(SECRET, verified + request.data, hashlib.sha256).hexdigest()
    assert request.get_header("Api-signature") == wanted
    return dict(parse_qsl(request.data.decode(), strict_parsing=True))


@oracle
@given(_orders, made_up.seconds)
def test_the_venue_accepts_an_order_and_reads_the_same(order: Form, expires: str) -> None:
    """The venue's own signature is ours, and the facts are what its parser reads."""
    request, payload = _sent("POST", ORDER, expires, order)
    read, facts = _accepted(request), decode(TAG, payload).facts
    assert read == order
    assert (facts.action, facts.venue, facts.symbol) == ("bitmex.order", "bitmex", read["symbol"])
    assert (facts.side, facts.price) == (read["side"].lower(), read["price"])
    assert (facts.quantity, facts.nonce) == (read["orderQty"], read["clOrdID"])
    assert facts.order_type == read.get("execInst", read["timeInForce"])
    assert facts.expires_at == int(expires)
    (moved,) = facts.transfers
    assert moved.decimals is not None
    assert moved.asset == f"{read['symbol']}@bitmex:contract"
    assert Fraction(moved.amount, 10**moved.decimals) == int(read["orderQty"])


@oracle
@given(made_up.ids, made_up.seconds)
def test_the_venue_accepts_a_cancellation_and_reads_the_same(name: str, expires: str) -> None:
    """A cancellation moves nothing and names one order."""
    request, payload = _sent("DELETE", ORDER, expires, {"clOrdID": name})
    read, facts = _accepted(request), decode(TAG, payload).facts
    assert (facts.action, facts.nonce, facts.transfers) == ("bitmex.cancel", read["clOrdID"], ())
    assert facts.expires_at == int(expires)


@oracle
@given(_withdrawals, made_up.seconds)
def test_the_venue_accepts_a_withdrawal_and_reads_the_same(members: Form, expires: str) -> None:
    """The venue's units are read as so many coins, to the address that it reads."""
    request, payload = _sent("POST", WITHDRAWAL, expires, members)
    read, facts = _accepted(request), decode(TAG, payload).facts
    coin, scale = SCALE[read["currency"]]
    (moved,) = facts.transfers
    assert moved.decimals is not None
    assert facts.action == "bitmex.withdrawal"
    assert facts.expires_at == int(expires)
    assert moved.asset == f"{coin}@bitmex:wallet"
    assert Fraction(moved.amount, 10**moved.decimals) == Fraction(int(read["amount"]), scale)
    assert moved.destination == f"{read['network']}:{read['address']}"
