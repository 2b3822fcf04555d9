"""What mutants of the policy showed to be untested: wording, defaults, the rarer branches."""

from collections.abc import Callable
from typing import Any

import pytest

from policy import freezes
from policy.compare import Direction, Witness, compare
from policy.engine import Unused, decide
from policy.freezes import Freeze
from policy.model import Ask, Counter, Facts, Transfer, Used
from policy.problems import Problem
from policy.reasons import Code, Reason
from policy.rules import Policy

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]
Edit = Callable[[Tree, str, object], None]

BOT = "spiffe://firm.example/bot"
LIMITS = "keys.pay.limits"
DAY = {"span": "1d", "total": "1"}
FACTS = Facts("intent.transfer", (Transfer("USD", 1, "acme"),))


def _changes(compiled: Compile, old: Tree, new: Tree) -> list[tuple[str, Direction, str]]:
    found = compare(compiled(old), compiled(new))
    return [(change.path, change.direction, change.description) for change in found]


def _limited(tree: Tree, *limits: Tree) -> Tree:
    usd = tree["keys"]["pay"]["limits"][0]
    pay = tree["keys"]["pay"] | {"limits": [usd | limit for limit in limits]}
    return tree | {"keys": {"pay": pay}}


def test_a_group_of_a_key_that_is_broken_reports_the_key_only(
    tree: Tree, edit: Edit, problems: Callable[[Tree], tuple[Problem, ...]]
) -> None:
    """The key is there, with a problem of its own."""
    tree["groups"] = {"g": {"keys": ["wd", "pay"], "limits": [{"asset": "USD", "windows": [DAY]}]}}
    edit(tree, "keys.pay.version", 0)
    assert [problem.path for problem in problems(tree)] == ["keys.pay.version"]


def test_two_limits_of_a_group_on_one_asset_both_hold(tree: Tree, compiled: Compile) -> None:
    """As on a key."""
    limits = [{"asset": "USD", "windows": [DAY | {"span": span}]} for span in ("1d", "2d")]
    tree["groups"] = {"g": {"keys": ["pay"], "limits": limits}}
    windows = compiled(tree).keys["pay"].limits["USD"].windows
    assert [window.counter.span_ms for window in windows[1:]] == [86_400_000, 172_800_000]


def test_freezing_all_says_that_it_takes_no_name() -> None:
    """In these words."""
    with pytest.raises(ValueError, match=r"^freezing all takes no name$"):
        freezes.parse("all", "x")


def test_only_assets_go_by_an_identifier(tree: Tree, compiled: Compile) -> None:
    """A destination that is spelt like one stays as it is."""
    freeze = Freeze("destination", "eip155:1/slip44:60")
    assert freezes.resolve(freeze, compiled(tree)) == freeze


def test_a_key_that_is_gone_can_be_frozen(tree: Tree, compiled: Compile) -> None:
    """What the policy no longer knows touches no group, and is stopped all the same."""
    ask = Ask("nope", "intent", BOT, FACTS)
    frozen = freezes.frozen(frozenset({("key", "nope")}), ask, compiled(tree))
    assert frozen == (Reason(Code.FROZEN, "freezes.key", "nope"),)


def test_what_a_swap_brings_is_touched_too(tree: Tree, compiled: Compile) -> None:
    """An asset that is frozen is not bought either."""
    facts = Facts("intent.transfer", FACTS.transfers, receives=Transfer("EUR", 1, "acme"))
    ask = Ask("pay", "intent", BOT, facts)
    (reason,) = freezes.frozen(frozenset({("asset", "EUR")}), ask, compiled(tree))
    assert reason.rule == "freezes.asset"


def test_a_swap_needs_a_worst_price(tree: Tree, compiled: Compile) -> None:
    """What it brings is bounded by nothing else."""
    facts = Facts("intent.transfer", FACTS.transfers, receives=Transfer("EUR", 1, "acme"))
    decision = decide(compiled(tree), Ask("pay", "intent", BOT, facts), Unused(), 0)
    detail = "a swap brings what its price says, and none is bounded"
    rule = "keys.pay.grants.suppliers.worst_price"
    assert Reason(Code.PRICE_NOT_ALLOWED, rule, detail) in decision.reasons


def test_a_limit_that_is_removed_is_named(tree: Tree, compiled: Compile) -> None:
    """Nothing of the asset can leave any more."""
    euros = {"asset": "EUR"}
    assert _changes(compiled, _limited(tree, {}, euros), _limited(tree, {})) == [
        (f"{LIMITS}.EUR", Direction.TIGHTER, "is removed: EUR cannot move now")
    ]


@pytest.mark.parametrize(
    ("before", "after", "path", "said"),
    [
        ({"total": "25"}, {"total": "24"}, "1h.total", "falls from 25 USD to 24 USD"),
        ({"count": 3}, {"count": 1}, "1h.count", "falls from 3 requests to 1 requests"),
        ({"count": 3}, {"count": 3, "total": "9"}, "1h.total", "the bound of 9 USD is new"),
    ],
)
def test_a_window_that_tightens_says_how(
    tree: Tree, compiled: Compile, before: Tree, after: Tree, path: str, said: str
) -> None:
    """From what to what, or that it is new."""
    old, new = ({"windows": [{"span": "1h"} | bounds]} for bounds in (before, after))
    assert _changes(compiled, _limited(tree, old), _limited(tree, new)) == [
        (f"{LIMITS}.USD.windows.{path}", Direction.TIGHTER, said)
    ]


def test_a_window_for_each_caller_is_no_window_for_all(tree: Tree, compiled: Compile) -> None:
    """Two callers may take it twice."""
    whole: Tree = {"span": "1h", "total": "9"}
    old, new = {"windows": [whole]}, {"windows": [whole | {"per": "caller"}]}
    first = _changes(compiled, _limited(tree, old), _limited(tree, new))[0]
    assert first == (
        f"{LIMITS}.USD.windows.1h.total",
        Direction.LOOSER,
        "the bound of 9 USD is gone",
    )


@pytest.mark.parametrize(("count", "rest"), [(10, ""), (11, " and 1 more")])
def test_long_lists_are_cut_after_ten(tree: Tree, compiled: Compile, count: int, rest: str) -> None:
    """And say how many more there are."""
    places = [f"p{number:02}" for number in range(count)]
    grant = tree["keys"]["pay"]["grants"][0]
    old, new = (
        tree | {"keys": {"pay": tree["keys"]["pay"] | {"grants": [grant | {"destinations": to}]}}}
        for to in (["acme"], ["acme", *places])
    )
    assert _changes(compiled, old, new)[0][2] == f"adds {', '.join(places[:10])}{rest}"


def test_a_witness_without_a_past_meets_empty_windows() -> None:
    """Nothing spent, no request."""
    ask = Ask("pay", "intent", BOT, FACTS)
    assert Witness(ask, 0).used(Counter("pay", "USD", 1)) == Used(0, 0)


HOUR_MS = 3_600_000


@pytest.mark.parametrize(("expires_at", "allowed"), [(None, True), (4600, True), (4601, False)])
def test_a_signature_is_good_for_the_grants_lifetime_at_most(
    tree: Tree,
    compiled: Compile,
    edit: Edit,
    expires_at: int | None,
    allowed: bool,  # noqa: FBT001 - a table
) -> None:
    """To the second; a payload that never expires is not asked."""
    edit(tree, "keys.pay.grants.0.lifetime", "1h")
    facts = Facts("intent.transfer", FACTS.transfers, expires_at=expires_at)
    decision = decide(compiled(tree), Ask("pay", "intent", BOT, facts), Unused(), 1_000_000)
    rule = "keys.pay.grants.suppliers.lifetime"
    detail = f"expires in 3601000 ms, not within {HOUR_MS} ms"
    refused = (Reason(Code.EXPIRY_NOT_ALLOWED, rule, detail),)
    assert decision.reasons == (() if allowed else refused)
