"""``hyperliquid.action``: an L1 action of Hyperliquid (``docs/hyperliquid.action.md``).

What a wallet signs holds no more than a hash of the action, so the payload is the
action itself, in canonical JSON (RFC 8785), and the hash is made here.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and every member
of the payload goes into the facts or the message.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from policy import fields
from policy.algorithms import Algorithm, Digest
from policy.model import Decoded, Facts, Format, Side
from policy.payloads import canonical_json
from policy.payloads.exchange import trade
from policy.payloads.hyperliquid import members, typed_data
from policy.reasons import Code, PayloadError

TAG = "hyperliquid.action"
ORDER, CANCEL = "hyperliquid.order", "hyperliquid.cancel"
MARKETS = {"a": "hyperliq:perp", "b": "hyperliq:testnet"}  # CAIP-2 has room for 8 letters
COLLATERAL = "USDC"
MAX_PERPETUAL = 9999  # above are spot pairs and the markets of other deployers
MAX_ORDER_ID = 2**53 - 1

Action = dict[str, Any]


class _Envelope(NamedTuple):
    """What surrounds the action; times are in milliseconds since the epoch."""

    market: str
    nonce: int
    expires_after: int | None
    vault: str | None

    @property
    def expires_at(self) -> int | None:
        """Return the expiry in seconds."""
        return None if self.expires_after is None else self.expires_after // 1000


def decode(payload: bytes) -> Decoded:
    """Read an action with its nonce; the message is that of the typed data.

    Raises:
        PayloadError: it is not one, not canonical, or does what is not supported.
    """
    document = members.members(
        canonical_json.decode(payload),
        "$",
        {"action", "nonce", "source"},
        {"expiresAfter", "vaultAddress"},
    )
    source = members.one_of(document["source"], "$.source", MARKETS)
    envelope = _envelope(document, MARKETS[source])
    action, facts = _action(document["action"], envelope)
    connection_id = typed_data.action_hash(
        action, envelope.nonce, envelope.vault, envelope.expires_after
    )
    return Decoded(facts, typed_data.message(connection_id, source), Digest.KECCAK256)


def _envelope(document: Mapping[str, Any], market: str) -> _Envelope:
    expires_after = vault = None
    if "expiresAfter" in document:
        expires_after = members.milliseconds(document["expiresAfter"], "$.expiresAfter")
    if "vaultAddress" in document:
        vault = _address(document["vaultAddress"], "$.vaultAddress")
    nonce = members.milliseconds(document["nonce"], "$.nonce")
    return _Envelope(market, nonce, expires_after, vault)


def _address(value: object, where: str) -> str:
    try:
        return fields.ethereum(str(value))
    except ValueError as error:
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, str(error)) from None


def _action(value: object, envelope: _Envelope) -> tuple[Action, Facts]:
    """Return the action with its members in the venue's order, and the facts."""
    kind = value.get("type") if isinstance(value, dict) else None
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        detail = f"is not an action of type {', '.join(_READERS)}"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "$.action", detail)
    return reader(value, envelope)


def _order(value: object, envelope: _Envelope) -> tuple[Action, Facts]:
    where = "$.action"
    action = members.members(value, where, {"type", "orders", "grouping"})
    members.one_of(action["grouping"], f"{where}.grouping", ("na",))
    wire = _order_wire(members.only(action["orders"], f"{where}.orders"), f"{where}.orders[0]")
    symbol = str(wire["a"])
    order = trade.Order(
        envelope.market,
        symbol,
        symbol,
        COLLATERAL,
        Side.BUY if wire["b"] else Side.SELL,
        wire["t"]["limit"]["tif"],
        wire["s"],
        wire["p"],
    )
    facts = order.facts(
        ORDER,
        timestamp=envelope.nonce,
        nonce=str(envelope.nonce),
        expires_at=envelope.expires_at,
        source=envelope.vault,
    )
    return {"type": "order", "orders": [wire], "grouping": "na"}, facts


def _order_wire(value: object, where: str) -> Action:
    order = members.members(value, where, {"a", "b", "p", "s", "r", "t"}, {"c"})
    kind = members.members(order["t"], f"{where}.t", {"limit"})  # triggers spend at any price
    limit = members.members(kind["limit"], f"{where}.t.limit", {"tif"})
    wire: Action = {
        "a": members.integer(order["a"], f"{where}.a", MAX_PERPETUAL),
        "b": members.boolean(order["b"], f"{where}.b"),
        "p": members.decimal(order["p"], f"{where}.p"),
        "s": members.decimal(order["s"], f"{where}.s"),
        "r": members.boolean(order["r"], f"{where}.r"),
        "t": {
            "limit": {
                "tif": members.one_of(limit["tif"], f"{where}.t.limit.tif", ("Alo", "Gtc", "Ioc"))
            }
        },
    }
    if "c" in order:
        wire["c"] = members.client_id(order["c"], f"{where}.c")
    return wire


def _cancel(value: object, envelope: _Envelope) -> tuple[Action, Facts]:
    where = "$.action.cancels"
    action = members.members(value, "$.action", {"type", "cancels"})
    item = members.members(members.only(action["cancels"], where), where, {"a", "o"})
    wire = {
        "a": members.integer(item["a"], f"{where}[0].a", MAX_PERPETUAL),
        "o": members.integer(item["o"], f"{where}[0].o", MAX_ORDER_ID),
    }
    return {"type": "cancel", "cancels": [wire]}, _cancelled(wire["a"], envelope)


def _cancel_by_client_id(value: object, envelope: _Envelope) -> tuple[Action, Facts]:
    where = "$.action.cancels"
    action = members.members(value, "$.action", {"type", "cancels"})
    item = members.members(members.only(action["cancels"], where), where, {"asset", "cloid"})
    wire: Action = {
        "asset": members.integer(item["asset"], f"{where}[0].asset", MAX_PERPETUAL),
        "cloid": members.client_id(item["cloid"], f"{where}[0].cloid"),
    }
    return {"type": "cancelByCloid", "cancels": [wire]}, _cancelled(wire["asset"], envelope)


def _cancelled(asset: int, envelope: _Envelope) -> Facts:
    return Facts(
        CANCEL,
        (),
        source=envelope.vault,
        expires_at=envelope.expires_at,
        nonce=str(envelope.nonce),
        venue="hyperliquid",
        symbol=str(asset),
        timestamp=envelope.nonce,
    )


_READERS: Mapping[str, Callable[[object, _Envelope], tuple[Action, Facts]]] = {
    "order": _order,
    "cancel": _cancel,
    "cancelByCloid": _cancel_by_client_id,
}

FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({ORDER, CANCEL}),
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
)
