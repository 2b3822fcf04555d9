"""Generated withdrawals as a venue's client sends and signs them, written with standard parts.

Each client follows the venue's documentation with ``urllib``, ``json`` and ``hashlib`` alone.
BitMEX's are in ``test_bitmex_oracle``; Bybit's are not supported.
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

from policy.model import Role
from policy.payloads import decode
from tests.policy.payloads.examples import oracle
from tests.policy.payloads_exchanges import made_up


class Withdrawal(NamedTuple):
    """What every venue's client is asked for. ``fee`` is the most that it may cost."""

    coin: str
    amount: str
    address: str
    fee: str
    identifier: str
    time: str  # milliseconds since the epoch


class Sent(NamedTuple):
    """The payload, what a client signs, the asset, where it goes, and the most it may cost."""

    payload: str
    signed: bytes
    asset: str
    destination: str
    fee: Fraction | None = None


def _binance(item: Withdrawal) -> Sent:
    query = urlencode(
        {
            "coin": item.coin,
            "withdrawOrderId": item.identifier,
            "network": "ETH",
            "address": item.address,
            "amount": item.amount,
            "walletType": 0,
            "recvWindow": 5000,
            "timestamp": item.time,
        }
    )
    payload = f"POST /sapi/v1/capital/withdraw/apply\n{query}"
    return Sent(payload, query.encode(), f"{item.coin}@binance:spot", f"ETH:{item.address}")


def _kraken(item: Withdrawal) -> Sent:
    path = "/0/private/Withdraw"
    body = urlencode(
        {
            "address": item.address,
            "amount": item.amount,
            "asset": item.coin,
            "key": "treasury",
            "max_fee": item.fee,
            "nonce": item.time,
        }
    )
    hashed = hashlib.sha256(f"{item.time}{body}".encode()).digest()
    asset = f"{item.coin}@kraken:spot"
    signed = path.encode() + hashed
    return Sent(f"POST {path}\n{body}", signed, asset, item.address, Fraction(item.fee))


def _okx(item: Withdrawal) -> Sent:
    time, path = "2024-02-29T23:59:59.999Z", "/api/v5/asset/withdrawal"
    members = {
        "amt": item.amount,
        "ccy": item.coin,
        "chain": "USDT-ERC20",
        "clientId": item.identifier,
        "dest": "4",
        "toAddr": item.address,
    }
    body = json.dumps(members, sort_keys=True, separators=(",", ":"))
    signed = f"{time}POST{path}{body}".encode()
    destination = f"USDT-ERC20:{item.address}"
    return Sent(f"POST {path}\n{time}\n{body}", signed, f"{item.coin}@okx:spot", destination)


def _deribit(item: Withdrawal) -> Sent:
    path = "/api/v2/private/withdraw"
    members = {"address": item.address, "amount": item.amount, "currency": item.coin}
    query = urlencode(members)
    signed = f"{item.time}\n{item.identifier}\nGET\n{path}?{query}\n\n".encode()
    payload = f"GET {path}\n{item.time}\n{item.identifier}\n{query}"
    return Sent(payload, signed, f"{item.coin}@deribit:spot", item.address)


CLIENTS: dict[str, Callable[[Withdrawal], Sent]] = {
    "binance.request": _binance,
    "deribit.request": _deribit,
    "kraken.request": _kraken,
    "okx.request": _okx,
}
_withdrawals = st.builds(
    Withdrawal,
    made_up.coins,
    made_up.decimals,
    made_up.addresses,
    made_up.decimals,
    made_up.ids,
    made_up.milliseconds,
)


@pytest.mark.parametrize("tag", CLIENTS)
@oracle
@given(item=_withdrawals)
def test_a_clients_withdrawal_is_read_and_signed(tag: str, item: Withdrawal) -> None:
    """The message is what the client signs, and exactly that leaves, to where it says."""
    sent = CLIENTS[tag](item)
    decoded = decode(tag, sent.payload.encode())
    moved, *costs = decoded.facts.transfers
    assert moved.decimals is not None
    assert decoded.message == sent.signed
    assert decoded.facts.action == tag.replace("request", "withdrawal")
    assert (moved.asset, moved.destination) == (sent.asset, sent.destination)
    assert Fraction(moved.amount, 10**moved.decimals) == Fraction(item.amount)
    fees = [Fraction(cost.amount, 10 ** (cost.decimals or 0)) for cost in costs]
    assert fees == ([] if sent.fee is None else [sent.fee])
    assert all((cost.role, cost.asset) == (Role.FEE, sent.asset) for cost in costs)
