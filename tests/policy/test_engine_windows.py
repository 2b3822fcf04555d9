"""Windows: what counts together, and how much of it passes."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from policy.model import Charge, Counter, Role, Transfer, Used
from policy.reasons import Code
from policy.rules import Policy
from tests.policy.deciding import BOT, HOUR, Table, codes_of, decided, pay, saying

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]


@pytest.fixture
def policy(tree: Tree, compiled: Compile) -> Policy:
    """The document as it stands."""
    return compiled(tree)


@pytest.mark.parametrize(
    ("used", "codes"),
    [
        (Used(2400, 2), []),
        (Used(2401, 2), [Code.LIMIT_WINDOW_TOTAL]),
        (Used(0, 3), [Code.LIMIT_WINDOW_COUNT]),
        (Used(2400, 3), [Code.LIMIT_WINDOW_COUNT]),
        (Used(2500, 3), [Code.LIMIT_WINDOW_TOTAL, Code.LIMIT_WINDOW_COUNT]),
    ],
)
def test_a_window_bounds_total_and_count(used: Used, codes: list[Code], policy: Policy) -> None:
    """Up to the bound and not one unit or request more."""
    assert codes_of(decided(policy, pay(100), usage=Table({HOUR: used}))) == codes


def test_a_total_and_a_count_are_each_optional(tree: Tree, compiled: Compile) -> None:
    """A window without one of its bounds does not bound it."""
    tree["keys"]["pay"]["limits"][0]["windows"] = [
        {"span": "1h", "total": "25"},
        {"span": "2h", "count": 3},
    ]
    day = Counter("pay", "USD", 7_200_000)
    usage = Table({HOUR: Used(0, 10**6), day: Used(10**9, 2)})
    assert decided(compiled(tree), pay(), usage=usage).allowed


OTHER = "spiffe://firm.example/other-bot"


def test_each_caller_has_a_window_of_its_own(tree: Tree, compiled: Compile) -> None:
    """What one caller spent does not count for another; each counter is named after it."""
    key = tree["keys"]["pay"]
    key["grants"][0]["callers"] = [BOT, OTHER]
    key["limits"][0]["windows"] = [{"span": "1h", "total": "25", "per": "caller"}]
    counters = [Counter(f"pay caller {caller}", "USD", 3_600_000) for caller in (BOT, OTHER)]
    usage = Table({counters[0]: Used(2450, 1)})
    policy = compiled(tree)
    refused = decided(policy, pay(), usage=usage)
    assert codes_of(refused) == [Code.LIMIT_WINDOW_TOTAL]
    assert refused.reasons[0].rule == "keys.pay.limits.USD.windows.1h.caller.total"
    allowed = decided(policy, replace(pay(), caller=OTHER), usage=usage)
    assert allowed.charges == (Charge(counters[1], 100),)


def test_each_destination_has_a_window_of_its_own(tree: Tree, compiled: Compile) -> None:
    """Transfers to one place are summed, and each place is charged its part; a fee to none."""
    key = tree["keys"]["pay"]
    key["grants"][0]["destinations"] = ["acme", "zoo"]
    key["limits"][0]["windows"] = [{"span": "1h", "total": "3", "per": "destination"}]
    parts = (("acme", 200), ("zoo", 50), ("acme", 100))
    transfers = tuple(Transfer("USD", amount, place) for place, amount in parts)
    fee = Transfer("USD", 10, None, Role.FEE)
    policy = compiled(tree)
    decision = decided(policy, saying(pay(), transfers=(*transfers, fee)))
    assert decision.charges == (
        Charge(Counter("pay destination acme", "USD", 3_600_000), 300),
        Charge(Counter("pay destination zoo", "USD", 3_600_000), 50),
    )
    more = saying(pay(), transfers=(*transfers, Transfer("USD", 1, "acme")))
    assert codes_of(decided(policy, more)) == [Code.LIMIT_WINDOW_TOTAL]


def test_the_keys_of_a_group_are_counted_together(tree: Tree, compiled: Compile) -> None:
    """One counter, whichever key is charged, beside the key's own windows."""
    tree["keys"]["other"] = tree["keys"]["pay"]
    limits = [{"asset": "USD", "windows": [{"span": "1d", "total": "12"}]}]
    tree["groups"] = {"desk": {"keys": ["wd", "pay", "other"], "limits": limits}}
    shared = Counter("group desk", "USD", 86_400_000)
    policy = compiled(tree)
    for key in ("pay", "other"):
        asked = replace(pay(), key=key)
        charges = decided(policy, asked).charges
        assert charges == (Charge(Counter(key, "USD", 3_600_000), 100), Charge(shared, 100))
        refused = decided(policy, asked, usage=Table({shared: Used(1101, 1)}))
        assert [reason.rule for reason in refused.reasons] == [
            "groups.desk.limits.USD.windows.1d.total"
        ]


def test_a_pause_between_requests_is_a_window_of_one(tree: Tree, compiled: Compile) -> None:
    """A caller's next request has to wait for the span."""
    window = {"span": "30s", "count": 1, "per": "caller"}
    tree["keys"]["pay"]["limits"][0]["windows"] = [window]
    counter = Counter(f"pay caller {BOT}", "USD", 30_000)
    refused = decided(compiled(tree), pay(), usage=Table({counter: Used(1, 1)}))
    assert codes_of(refused) == [Code.LIMIT_WINDOW_COUNT]
