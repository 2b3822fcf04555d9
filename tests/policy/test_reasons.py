"""What the audit log is told: code, rule and detail of each refusal, word for word."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from policy.engine import Unused, decide
from policy.model import Ask, Counter, Facts, Role, Side, Transfer, Used
from policy.reasons import Code, Reason
from policy.rules import Policy

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]

NOON = 1_795_435_200_000  # Monday 2026-11-23 12:00 UTC
BOT = "spiffe://firm.example/bot"
GRANT = "keys.pay.grants.suppliers"


@pytest.fixture
def policy(tree: Tree, compiled: Compile) -> Policy:
    """A key whose one grant has every field."""
    tree["keys"]["pay"]["grants"][0] |= {
        "sources": ["vault"],
        "venues": ["v"],
        "symbols": ["S"],
        "sides": ["buy", "sell"],
        "order_types": ["LIMIT"],
        "worst_price": {"buy": "100"},
        "networks": ["10.1.0.0/16"],
        "not_before": "2026-11-23T00:00:00Z",
        "expires": "2026-11-24T00:00:00Z",
        "hours": {"tz": "UTC", "days": "mon", "from": "08:00", "to": "18:00"},
        "approval": {"above": "1", "quorum": 1, "approvers": ["x.example", BOT]},
    }
    return compiled(tree)


def _ask(**facts: Any) -> Ask:
    said: dict[str, Any] = {
        "action": "intent.transfer",
        "transfers": (Transfer("USD", 100, "acme"),),
        "source": "vault",
        "venue": "v",
        "symbol": "S",
        "side": Side.BUY,
        "order_type": "LIMIT",
        "price": "100",
    }
    return Ask("pay", "intent", BOT, Facts(**said | facts), "10.1.2.3")


def _moved(*transfers: Transfer) -> dict[str, Any]:
    return {"transfers": transfers}


TWO = (Transfer("USD", 1, "zed"), Transfer("USD", 1, None), Transfer("USD", 1, "acme"))
OTHER = (Transfer("EUR", 1, "acme"), Transfer("ABC", 1, "acme"), Transfer("USD", 1, "acme"))
KNOWN = "no asset ABC"
LIMITS = "keys.pay.limits"
MARKET = "the order names no price, and the policy none for"

# Facts that a decoder gave, and every reason for which they are refused.
FACTS: list[tuple[dict[str, Any], list[tuple[Code, str, str]]]] = [
    (
        {"action": "intent.other"},
        [(Code.ACTION_NOT_ALLOWED, f"{GRANT}.action", "intent.other is not intent.transfer")],
    ),
    (
        {"chain_id": 1},
        [(Code.CHAIN_NOT_ALLOWED, f"{GRANT}.chain_ids", "chain 1 is not listed")],
    ),
    (
        _moved(*OTHER),
        [
            (Code.ASSET_UNKNOWN, "assets", KNOWN),
            (Code.ASSET_NOT_ALLOWED, f"{GRANT}.assets", "ABC, EUR is not listed"),
            (Code.NO_LIMIT_FOR_ASSET, LIMITS, "ABC has no limit on this key"),
            (Code.NO_LIMIT_FOR_ASSET, LIMITS, "EUR has no limit on this key"),
        ],
    ),
    (_moved(), [(Code.ASSET_NOT_ALLOWED, f"{GRANT}.assets", "the payload moves nothing")]),
    (
        _moved(*TWO),
        [(Code.DESTINATION_NOT_ALLOWED, f"{GRANT}.destinations", "None, zed is not listed")],
    ),
    (
        {"source": None},
        [(Code.SOURCE_NOT_ALLOWED, f"{GRANT}.sources", "None is not listed")],
    ),
    ({"venue": "w"}, [(Code.ORDER_NOT_ALLOWED, f"{GRANT}.venues", "w is not listed")]),
    ({"symbol": "T"}, [(Code.ORDER_NOT_ALLOWED, f"{GRANT}.symbols", "T is not listed")]),
    (
        {"side": None},
        [
            (Code.ORDER_NOT_ALLOWED, f"{GRANT}.sides", "None is not listed"),
            (Code.PRICE_NOT_ALLOWED, f"{GRANT}.worst_price", "None at 100: nothing to compare"),
        ],
    ),
    (
        {"order_type": None},
        [(Code.ORDER_NOT_ALLOWED, f"{GRANT}.order_types", "None is not listed")],
    ),
    (
        {"price": "100.5"},
        [(Code.PRICE_NOT_ALLOWED, f"{GRANT}.worst_price", "buy at 100.5, not 100")],
    ),
    (
        {"price": None},
        [
            (Code.PRICE_NOT_ALLOWED, "markets.acme", f"{MARKET} a buy there"),
            (Code.PRICE_NOT_ALLOWED, f"{GRANT}.worst_price", "buy at None: nothing to compare"),
        ],
    ),
    (
        {"side": Side.SELL},
        [(Code.PRICE_NOT_ALLOWED, f"{GRANT}.worst_price", "sell at 100: nothing to compare")],
    ),
    (
        {"session": True},
        [(Code.SESSION_NOT_ALLOWED, f"{GRANT}.session", "the payload opens a session")],
    ),
    (
        _moved(Transfer("USD", 101, "acme")),
        [(Code.APPROVAL_REQUIRED, f"{GRANT}.approval", "USD: 0 of 1 approvals")],
    ),
    (
        {"expires_at": NOON // 1000 - 1},
        [
            (
                Code.PAYLOAD_EXPIRED,
                "payload.expires_at",
                f"expired at {NOON // 1000 - 1} s; it is {NOON} ms",
            )
        ],
    ),
    (
        {"timestamp": NOON - 60_001},
        [
            (
                Code.PAYLOAD_TIMESTAMP,
                "payload.timestamp",
                f"dated {NOON - 60_001} ms; it is {NOON} ms",
            )
        ],
    ),
    (
        {"key_version": "keys/pay/versions/2"},
        [
            (
                Code.PAYLOAD_SIGNER,
                "payload.key_version",
                "names keys/pay/versions/2; keys/pay/versions/1 signs",
            )
        ],
    ),
]


@pytest.mark.parametrize(("facts", "reasons"), FACTS)
def test_each_reason_names_its_rule_and_what_was_found(
    policy: Policy, facts: dict[str, Any], reasons: list[tuple[Code, str, str]]
) -> None:
    """The audit log has the rule's place in the document, what was found, what would be right."""
    decision = decide(policy, _ask(**facts), Unused(), NOON)
    assert decision.reasons == tuple(Reason(*reason) for reason in reasons)


def test_what_fits_is_allowed(policy: Policy) -> None:
    """The request that the table varies is allowed, at every edge that it touches."""
    assert decide(policy, _ask(), Unused(), NOON).grant == "suppliers"
    edges = {"expires_at": NOON // 1000, "timestamp": NOON + 60_000, "price": "99.999"}
    assert decide(policy, _ask(**edges), Unused(), NOON).allowed
    assert decide(policy, _ask(key_version="keys/pay/versions/1"), Unused(), NOON).allowed


@pytest.mark.parametrize(
    ("change", "now_ms", "reason"),
    [
        ({"format": "other"}, NOON, (Code.FORMAT_NOT_ALLOWED, "keys.pay.payloads",
                                     "other is not listed")),
        ({"address": "10.2.0.1"}, NOON, (Code.NETWORK_NOT_ALLOWED, f"{GRANT}.networks",
                                         "10.2.0.1 is in none")),
        ({"address": None}, NOON, (Code.NETWORK_NOT_ALLOWED, f"{GRANT}.networks",
                                   "None is in none")),
        ({"caller": "x.example"}, NOON, (Code.KEY_DENIED, "keys.pay", "no grant names x.example")),
        ({"key": "nope"}, NOON, (Code.KEY_DENIED, "keys.nope", "no such key")),
        ({}, NOON - 5 * 3_600_000, (Code.OUTSIDE_HOURS, f"{GRANT}.hours",
                                    f"closed at {NOON - 5 * 3_600_000} ms")),
    ],
)  # fmt: skip
def test_what_is_not_in_the_facts_has_its_reason_too(
    policy: Policy, change: dict[str, Any], now_ms: int, reason: tuple[Code, str, str]
) -> None:
    """The key, the caller, its address and the time are named alike."""
    ask = replace(_ask(), **change)
    assert decide(policy, ask, Unused(), now_ms).reasons == (Reason(*reason),)


@pytest.mark.parametrize(
    ("now_ms", "field", "detail"),
    [
        (NOON - 12 * 3_600_000 - 1, "not_before", "not yet at {} ms"),
        (NOON + 12 * 3_600_000, "expires", "no longer at {} ms"),
    ],
)
def test_a_grant_that_is_not_in_force_says_which_end(
    policy: Policy, now_ms: int, field: str, detail: str
) -> None:
    """Not begun, or over."""
    first = decide(policy, _ask(), Unused(), now_ms).reasons[0]
    expected = Reason(Code.GRANT_NOT_IN_FORCE, f"{GRANT}.{field}", detail.format(now_ms))
    assert first == expected


class _Full:
    """Windows that hold so much already."""

    def __init__(self, used: Used) -> None:
        self._used = used

    def used(self, counter: Counter) -> Used:
        """Return the same for each."""
        return self._used


def test_each_limit_says_by_how_much_it_is_exceeded(tree: Tree, compiled: Compile) -> None:
    """Per request, in total and in number, in whole units with the asset's name."""
    tree["keys"]["pay"]["limits"][0]["per_request"] = "0.99"
    decision = decide(compiled(tree), _plain(100), _Full(Used(2450, 3)), NOON)
    assert decision.reasons == (
        Reason(Code.LIMIT_PER_REQUEST, f"{LIMITS}.USD.per_request", "1 USD is more than 0.99 USD"),
        Reason(
            Code.LIMIT_WINDOW_TOTAL, f"{LIMITS}.USD.windows.1h.total", "would be 25.5 USD of 25 USD"
        ),
        Reason(
            Code.LIMIT_WINDOW_COUNT, f"{LIMITS}.USD.windows.1h.count", "would be 4 requests of 3"
        ),
    )


def _plain(amount: int) -> Ask:
    facts = Facts("intent.transfer", (Transfer("USD", amount, "acme"),))
    return Ask("pay", "intent", BOT, facts)


def test_a_fee_and_several_parts_are_one_sum(tree: Tree, compiled: Compile) -> None:
    """What goes to one destination is added up, and fees with it."""
    parts = (
        Transfer("USD", 400, "acme"),
        Transfer("USD", 500, "acme"),
        Transfer("USD", 101, None, Role.FEE),
    )
    ask = replace(_plain(0), facts=Facts("intent.transfer", parts))
    (reason,) = decide(compiled(tree), ask, Unused(), NOON).reasons
    assert reason.detail == "10.01 USD is more than 10 USD"


def test_a_negative_amount_names_the_transfer(policy: Policy) -> None:
    """The bug of a decoder is an error, whose text has what it gave."""
    with pytest.raises(ValueError, match=r"a decoder gave a negative amount: Transfer\("):
        decide(policy, _plain(-1), Unused(), NOON)


def test_an_amount_with_other_decimals_is_counted_in_those_of_the_asset(
    tree: Tree, compiled: Compile
) -> None:
    """More decimals than the asset has are rounded up, fewer are filled, the same stay."""
    policy = compiled(tree)
    for amount, decimals, counted in ((101, 3, 11), (100, 3, 10), (1, 0, 100), (7, 2, 7)):
        transfer = Transfer("USD", amount, "acme", decimals=decimals)
        ask = replace(_plain(0), facts=Facts("intent.transfer", (transfer,)))
        (charge,) = decide(policy, ask, Unused(), NOON).charges
        assert charge.amount == counted
