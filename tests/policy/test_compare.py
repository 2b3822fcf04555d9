"""Comparing two policies: what each edit of a document is called, and what proves it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from policy.compare import Change, Direction, Witness, compare, is_looser
from policy.engine import decide
from policy.rules import Policy

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]
Edit = Callable[[Tree, str, object], None]
Pair = Callable[[str, object, object], tuple[Policy, Policy]]

GRANT = "keys.pay.grants.0"
HOURS = {"tz": "UTC", "days": "mon-tue", "from": "08:00", "to": "18:00"}
EVENING = {"tz": "UTC", "days": "mon", "from": "20:00", "to": "02:00"}
XMAS = {"closed": ["2026-12-28"]}  # a Monday
LONDON = HOURS | {"tz": "Europe/London"}
OFFICERS = [f"spiffe://firm.example/officer/{name}" for name in "abcd"]
APPROVAL = {"above": "5", "quorum": 2, "approvers": OFFICERS[:3]}
PRICE = {"buy": "7", "sell": "5"}
NEXT_YEAR = "2027-01-01T00:00:00Z"
HOUR = {"span": "1h", "total": "25", "count": 3}
WINDOWS = "keys.pay.limits.0.windows"

# The field of a grant, its value before and after, the field named, and some of the description.
GRANTS = [
    ("callers", ["a.example"], ["a.example", "b.example"], "callers", "adds b.example"),
    ("destinations", ["x"], ["x", "y"], "destinations", "adds y"),
    ("sources", None, ["y"], "sources", "adds y"),
    ("sources", ["y"], None, "sources", "adds the key's own funds"),
    ("assets", ["USD"], ["USD", "EUR"], "assets", "adds EUR"),
    ("session", None, True, "session", "adds logons"),
    ("venues", ["x"], ["x", "y"], "venues", "adds y"),
    ("symbols", ["x"], ["x", "y"], "symbols", "adds y"),
    ("sides", ["buy"], ["buy", "sell"], "sides", "adds sell"),
    ("order_types", ["LIMIT"], None, "order_types", "adds no order type"),
    ("networks", ["10.1.0.0/16"], None, "networks", "adds anywhere"),
    ("networks", ["10.1.0.0/16"], ["10.0.0.0/8"], "networks", "adds 10.0.0.0/8"),
    ("networks", ["10.1.0.0/16"], ["10.1.0.0/17", "::/0"], "networks", "adds ::/0"),
    ("not_before", NEXT_YEAR, None, "not_before", "from 2027-01-01T00:00:00Z to none"),
    ("expires", NEXT_YEAR, None, "expires", "from 2027-01-01T00:00:00Z to none"),
    ("expires", NEXT_YEAR, "2027-01-01T00:00:01Z", "expires", "to 2027-01-01T00:00:01Z"),
    ("hours", HOURS, None, "hours", "is now always; it was mon-tue 08:00-18:00"),
    ("hours", HOURS, HOURS | {"to": "18:01"}, "hours", "adds mon-tue 18:00-18:01"),
    ("hours", HOURS, HOURS | {"days": "mon-wed"}, "hours", "adds wed 08:00-18:00"),
    ("hours", [HOURS], [HOURS, EVENING], "hours", "adds mon 20:00-24:00, tue 00:00-02:00"),
    ("hours", HOURS, HOURS | {"days": "mon-wed,fri,sat-sun"}, "hours", "adds wed,fri-sun 08:"),
    ("hours", HOURS | XMAS, HOURS, "hours", "adds 2026-12-28"),
    ("hours", HOURS, LONDON, "hours", "on the clocks of Europe/London and UTC"),
    ("approval", APPROVAL, None, "approval", "is gone; it was 2 of spiffe:"),
    ("approval", APPROVAL, APPROVAL | {"above": "6"}, "approval.above", "is higher for USD"),
    ("approval", APPROVAL, APPROVAL | {"quorum": 1}, "approval", "changes from 2 of"),
    ("approval", APPROVAL, APPROVAL | {"approvers": OFFICERS}, "approval", "to 2 of"),
    ("approval", APPROVAL, APPROVAL | {"approvers": OFFICERS[1:]}, "approval", "officer/d"),
]
# An asset that leaves the grant can still be paid as a fee, now without the approval.
BOTH = {"assets": ["USD", "EUR"], "approval": {"above": "1", "quorum": 1, "approvers": OFFICERS}}
# The same for a limit's window.
LIMITS = [
    ("per_request", "10", "10.01", "per_request", "rises from 10 USD to 10.01 USD"),
    ("windows", [HOUR], [HOUR | {"total": "26"}], "windows.1h.total", "rises from 25 USD to 26"),
    ("windows", [HOUR], [HOUR | {"count": 4}], "windows.1h.count", "from 3 requests to 4"),
    ("windows", [HOUR], [{"span": "1h", "count": 3}], "windows.1h.total", "of 25 USD is gone"),
    (
        "windows",
        [HOUR | {"per": "caller"}],
        [HOUR | {"per": "caller", "count": 4}],
        "windows.1h.caller.count",
        "from 3 requests to 4",
    ),
    (
        "windows",
        [HOUR, HOUR | {"per": "destination", "total": "9"}],
        [HOUR, HOUR | {"per": "destination"}],
        "windows.1h.destination.total",
        "from 9 USD to 25 USD",
    ),
    ("windows", [HOUR, {"span": "1d", "total": "30"}], [HOUR], "windows.1d.total", "30 USD is"),
    (
        "windows",
        [{"span": "1d", "total": "30"}],
        [{"span": "86399s", "total": "30"}],
        "windows.1d.total",
        "the bound of 30 USD is gone",
    ),
]
# The whole edit, and the path: tighter or equal whatever else it is.
HARMLESS = [
    (
        "keys.pay.limits.0.windows",
        [{"span": "100000s", "total": "30"}],
        [{"span": "100001s", "total": "30"}],
        {"-": ["keys.pay.limits.USD.windows.100001s.total"]},
    ),
    (f"{GRANT}.id", "a", "b", {"=": ["keys.pay.grants.a", "keys.pay.grants.b"]}),
    ("keys.pay.durable_intent", False, True, {"-": ["keys.pay.durable_intent"]}),
    ("keys.pay.validators", ["a.example"], None, {"-": ["keys.pay.validators"]}),
    (
        f"{GRANT}.hours",
        HOURS,
        HOURS | {"from": "09:00"},
        {"-": ["keys.pay.grants.suppliers.hours"]},
    ),
    (f"{GRANT}.hours", [HOURS, LONDON], [LONDON, HOURS], {}),
    (
        f"{GRANT}.hours",
        HOURS,
        [HOURS | {"to": "12:00"} | XMAS, HOURS | {"from": "12:00"}],
        {"-": ["keys.pay.grants.suppliers.hours"]},
    ),
    (f"{GRANT}.hours", None, HOURS, {"-": ["keys.pay.grants.suppliers.hours"]}),
    (f"{GRANT}.approval", None, APPROVAL, {"-": ["keys.pay.grants.suppliers.approval"]}),
    (
        f"{GRANT}.approval",
        APPROVAL,
        APPROVAL | {"quorum": 3, "approvers": OFFICERS},
        {"-": ["keys.pay.grants.suppliers.approval"]},
    ),
    (
        f"{GRANT}.approval",
        APPROVAL,
        APPROVAL | {"above": "4"},
        {"-": ["keys.pay.grants.suppliers.approval.above"]},
    ),
    ("keys.pay.limits.0.per_request", "3", "2", {"-": ["keys.pay.limits.USD.per_request"]}),
    (
        WINDOWS,
        [HOUR],
        [HOUR, {"span": "1d", "total": "9"}],
        {"-": ["keys.pay.limits.USD.windows.1d.total"]},
    ),
    (WINDOWS, [{"span": "24h", "total": "9"}], [{"span": "1d", "total": "9"}], {}),
    (
        WINDOWS,
        [HOUR],
        [HOUR | {"span": "2h"}],
        {"-": [f"keys.pay.limits.USD.windows.2h.{kind}" for kind in ("total", "count")]},
    ),
    ("keys.third", None, None, {}),
]


@pytest.fixture
def pair(tree: Tree, edit: Edit, compiled: Compile) -> Pair:
    """Compile the document twice, with one value and with another at a place."""
    tree["keys"]["pay"]["limits"].append(
        {"asset": "EUR", "per_request": "5", "windows": [{"span": "1h", "total": "5"}]}
    )

    def compile_both(where: str, before: object, after: object) -> tuple[Policy, Policy]:
        trees = copy.deepcopy(tree), copy.deepcopy(tree)
        for one, value in zip(trees, (before, after), strict=True):
            if value is not None:
                edit(one, where, value)
        return compiled(trees[0]), compiled(trees[1])

    return compile_both


def _looser(old: Policy, new: Policy) -> list[Change]:
    return [item for item in compare(old, new) if item.direction is Direction.LOOSER]


def _proves(item: Witness | None, old: Policy, new: Policy) -> bool:
    """Whether the new policy allows what the witness asks and the old one denies it."""
    assert item is not None
    before, after = (
        decide(policy, item.ask, item, item.at_ms, item.approved_by) for policy in (old, new)
    )
    return after.allowed and not before.allowed


@pytest.mark.parametrize(("field", "before", "after", "named", "text"), GRANTS)
def test_what_a_grant_gains_is_looser(
    field: str, before: object, after: object, named: str, text: str, pair: Pair
) -> None:
    """It is named with its field, and a request proves it."""
    old, new = pair(f"{GRANT}.{field}", before, after)
    (found,) = _looser(old, new)
    assert found.path == f"keys.pay.grants.suppliers.{named}"
    assert text in found.description
    assert _proves(found.witness, old, new)
    back = {item.path: item.direction for item in compare(new, old)}
    assert found.path in back


@pytest.mark.parametrize(("field", "before", "after", "named", "text"), LIMITS)
def test_a_bound_that_is_not_held_any_more_is_looser(
    field: str, before: object, after: object, named: str, text: str, pair: Pair
) -> None:
    """It is named with its window, and a request to a brimful window proves it."""
    old, new = pair(f"keys.pay.limits.0.{field}", before, after)
    (found,) = _looser(old, new)
    assert found.path == f"keys.pay.limits.USD.{named}"
    assert text in found.description
    assert _proves(found.witness, old, new)


@pytest.mark.parametrize(("where", "before", "after", "paths"), HARMLESS)
def test_what_only_tightens_is_not_looser(
    where: str, before: object, after: object, paths: dict[str, list[str]], pair: Pair
) -> None:
    """Every line says so; and what is equal in other words is no change of a grant."""
    changes = compare(*pair(where, before, after))
    assert not is_looser(changes)
    signs = {Direction.TIGHTER: "-", Direction.EQUAL: "="}
    found: dict[str, list[str]] = {}
    for change in changes:
        found.setdefault(signs[change.direction], []).append(change.path)
    assert {sign: sorted(items) for sign, items in found.items()} == {
        sign: sorted(items) for sign, items in paths.items()
    }


def test_the_same_policy_has_no_changes(tree: Tree, compiled: Compile) -> None:
    """Comparing is silent about what is the same."""
    assert compare(compiled(tree), compiled(tree)) == ()


@pytest.mark.parametrize(
    ("where", "before", "after", "path", "proven"),
    [
        ("keys.pay.version", 1, 2, "keys.pay.version", False),
        ("keys.pay.algorithm", "ed25519", "ecdsa-p256", "keys.pay.algorithm", False),
        ("keys.pay.durable_intent", True, False, "keys.pay.durable_intent", False),
        (
            "keys.wd.payloads",
            ["ethereum.transaction"],
            ["ethereum.transaction", "intent"],
            "keys.wd.payloads",
            True,
        ),
        ("keys.wd.grants.0.action", None, "erc20.approve", "keys.wd.grants.payouts.action", True),
        ("assets.EUR.decimals", 2, 3, "keys.pay.limits.EUR", False),
    ],
)
def test_what_is_set_for_a_key_counts(
    where: str,
    before: object,
    after: object,
    path: str,
    proven: bool,  # noqa: FBT001 — a table
    pair: Pair,
) -> None:
    """Another signing key, another format or an asset of another meaning is looser."""
    old, new = pair(where, before, after)
    found = {item.path: item for item in _looser(old, new)}
    assert path in found
    assert not proven or _proves(found[path].witness, old, new)


def test_a_new_key_is_looser_and_a_removed_one_tighter(tree: Tree, compiled: Compile) -> None:
    """A key that one policy does not know is denied by it."""
    both = compiled(tree)
    del tree["keys"]["pay"]
    one = compiled(tree)
    (gone,) = compare(both, one)
    (new,) = compare(one, both)
    assert (gone.path, gone.direction) == ("keys.pay", Direction.TIGHTER)
    assert (new.path, new.direction) == ("keys.pay", Direction.LOOSER)
    assert _proves(new.witness, one, both)


def test_an_asset_renamed_to_lose_its_limit_is_looser(tree: Tree, compiled: Compile) -> None:
    """A name that stands for another contract is another asset, whatever its limit says."""
    old = compiled(tree)
    tree["assets"]["USDC@eip155:1"]["contract"] = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
    (found,) = _looser(old, compiled(tree))
    assert "is now eip155:1/erc20:0xdAC1" in found.description
    assert _proves(found.witness, old, compiled(tree))


@pytest.mark.parametrize(
    ("before", "after", "path", "text"),
    [
        (PRICE, None, "worst_price", "is gone: any price will do"),
        (PRICE, PRICE | {"buy": "7.1"}, "worst_price.buy", "changes from 7 to 7.1"),
        (PRICE, PRICE | {"sell": "4"}, "worst_price.sell", "changes from 5 to 4"),
        ({"buy": "7"}, PRICE, "worst_price.sell", "changes from none to 5"),
    ],
)
def test_a_worse_price_is_looser(
    before: object, after: object, path: str, text: str, pair: Pair, tree: Tree
) -> None:
    """A buy may cost more, a sale bring less; the way back is tighter."""
    grant = tree["keys"]["pay"]["grants"][0] | {"symbols": ["X"], "sides": ["buy", "sell"]}
    worse = [grant | ({"worst_price": price} if price else {}) for price in (before, after)]
    old, new = pair(GRANT, *worse)
    (found,) = _looser(old, new)
    assert (found.path, found.description) == (f"keys.pay.grants.suppliers.{path}", text)
    assert _proves(found.witness, old, new)
    assert not is_looser(compare(new, old))


def test_a_grant_of_payloads_that_move_nothing_is_another(pair: Pair, tree: Tree) -> None:
    """Fewer assets are tighter, none at all are not: both ways are looser."""
    grant = tree["keys"]["pay"]["grants"][0]
    nothing = {name: grant[name] for name in ("id", "callers", "action")}
    old, new = pair(GRANT, grant, nothing)
    for one, other in ((old, new), (new, old)):
        found = _looser(one, other)
        assert found[0].path == "keys.pay.grants.suppliers.assets"
        assert _proves(found[0].witness, one, other)


def test_a_fee_alone_proves_a_raised_limit(pair: Pair, tree: Tree) -> None:
    """Where a grant moves nothing, what a limit bounds is the fee."""
    tree["keys"]["pay"]["grants"] = [
        {"id": "logon", "callers": ["a.example"], "action": "intent.transfer", "session": True}
    ]
    old, new = pair("keys.pay.limits.0.per_request", "1", "2")
    (found,) = _looser(old, new)
    assert _proves(found.witness, old, new)


def test_a_key_that_leaves_its_group_is_looser(tree: Tree, compiled: Compile) -> None:
    """Its spending does not count with the others' any more; what keys share is told once."""
    tree["keys"]["other"] = tree["keys"]["pay"]
    limits = [{"asset": "USD", "windows": [{"span": "1d", "total": "12"}]}]
    tree["groups"] = {"desk": {"keys": ["pay", "other"], "limits": limits}}
    both = compiled(tree)
    tree["groups"]["desk"]["keys"] = ["other"]
    one = compiled(tree)
    (left, found) = _looser(both, one)
    assert (left.path, left.description) == ("keys.pay.groups", "leaves the group desk")
    path = "groups.desk.limits.USD.windows.1d.total"
    assert (found.path, found.description) == (path, "the bound of 12 USD is gone")
    assert _proves(found.witness, both, one)
    del tree["groups"]
    told = sorted(change.path for change in _looser(both, compiled(tree)))
    assert told == [path, "keys.other.groups", "keys.pay.groups"]
    assert "keys.pay.groups" in {change.path for change in compare(one, both)}


def test_a_new_validator_is_looser(pair: Pair) -> None:
    """Whoever may ask what would be allowed learns what the policy says."""
    (found,) = _looser(*pair("keys.pay.validators", None, ["a.example"]))
    assert (found.path, found.description) == ("keys.pay.validators", "adds a.example")
    assert found.witness is None


def test_an_asset_that_loses_its_approval_is_looser(pair: Pair, tree: Tree) -> None:
    """What a grant does not name can still be paid as a fee, and nobody has to approve it."""
    grant = tree["keys"]["pay"]["grants"][0] | BOTH
    old, new = pair(GRANT, grant, grant | {"assets": ["USD"]})
    (found,) = _looser(old, new)
    assert (found.path, found.description) == (
        "keys.pay.grants.suppliers.approval.above",
        "is higher for EUR",
    )


def test_a_grant_split_in_two_is_equal(tree: Tree, compiled: Compile) -> None:
    """Each caller's part is looked for among all old grants."""
    grant = tree["keys"]["pay"]["grants"][0]
    grant["callers"] = ["a.example", "b.example"]
    old = compiled(tree)
    parts = [grant | {"id": caller[0], "callers": [caller]} for caller in grant["callers"]]
    tree["keys"]["pay"]["grants"] = parts
    new = compiled(tree)
    assert {item.direction for item in compare(old, new)} == {Direction.EQUAL}


def test_a_new_grant_is_looser_unless_it_was_allowed(tree: Tree, compiled: Compile) -> None:
    """It is described by who may do what; a removed one is tighter."""
    old = compiled(tree)
    grant = tree["keys"]["pay"]["grants"][0] | {"id": "more", "callers": ["b.example"]}
    tree["keys"]["pay"]["grants"].append(grant)
    new = compiled(tree)
    (found,) = _looser(old, new)
    assert found.description == "is a new grant: b.example may do intent.transfer with USD"
    assert _proves(found.witness, old, new)
    (back,) = compare(new, old)
    assert (back.direction, back.description) == (Direction.TIGHTER, "is removed")


def test_a_fee_without_a_limit_could_not_be_paid(tree: Tree, compiled: Compile, edit: Edit) -> None:
    """The first limit on an asset is a loosening, and the proof pays the asset as a fee."""
    edit(tree, "keys.pay.limits.1", {"asset": "EUR", "per_request": "1", "windows": [HOUR]})
    new = compiled(tree)
    edit(tree, "keys.pay.limits.1", None)
    old = compiled(tree)
    (found,) = _looser(old, new)
    assert found.description == "is a new limit: EUR could not move before"
    assert _proves(found.witness, old, new)
    (back,) = compare(new, old)
    assert back.direction is Direction.TIGHTER


def test_long_lists_are_cut_short(tree: Tree, compiled: Compile, edit: Edit) -> None:
    """A reviewer sees the first of many, and how many more there are."""
    old = compiled(tree)
    edit(tree, f"{GRANT}.destinations", ["acme", *(f"x{n:02}" for n in range(12))])
    (found,) = _looser(old, compiled(tree))
    assert found.description.endswith("x08, x09 and 2 more")
