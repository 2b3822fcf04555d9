"""Witnesses of loosenings that take more than one value at its edge to show."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.compare import Direction, Witness, compare
from policy.engine import decide
from policy.rules import Policy

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]

GRANT: Tree = {
    "id": "g",
    "callers": ["a.example"],
    "action": "intent.transfer",
    "assets": ["USD"],
    "destinations": ["x", "y"],
}
TO_X, TO_Y = GRANT | {"destinations": ["x"]}, GRANT | {"destinations": ["y"]}
HEAD: Tree = {"schema": 1, "assets": {"USD": {"decimals": 0}, "EUR": {"decimals": 0}}}
OTHER = {"id": "other"}
HOUR: Tree = {"span": "1h", "count": 9}
MINUTE: Tree = {"span": "60s"}
EACH = {"per": "destination"}
OVER, PAST = {"expires": "2026-01-01T00:00:00Z"}, {"expires": "1971-01-01T00:00:00Z"}
SUNDAY_ON = {"not_before": "2026-11-22T12:00:00Z"}
MONDAY = {"tz": "UTC", "days": "mon", "from": "12:00", "to": "14:00"}
APPROVED = {"above": "5", "quorum": 1, "approvers": ["b.example"]}
DEAR = {"symbols": ["S"], "sides": ["buy"]}


def _limit(*windows: Tree, per_request: str = "9", asset: str = "USD") -> Tree:
    return {"asset": asset, "per_request": per_request, "windows": [HOUR, *windows]}


def _key(*grants: Tree, limits: list[Tree] | None = None) -> Tree:
    return {
        "algorithm": "ed25519",
        "payloads": ["intent"],
        "grants": list(grants),
        "limits": limits or [_limit(), _limit(asset="EUR")],
    }


def _windows(*windows: Tree, per_request: str = "9", grant: Tree = GRANT) -> Tree:
    return {"keys": {"k": _key(grant, limits=[_limit(*windows, per_request=per_request)])}}


def _grants(*grants: Tree) -> Tree:
    return {"keys": {"k": _key(*grants)}}


def _group(*windows: Tree, first: Tree = GRANT, own: Tree | None = None) -> Tree:
    limits = [_limit(*([own] if own else []))]
    keys = {"a": _key(first, limits=limits), "k": _key(GRANT, limits=limits)}
    shared = {"asset": "USD", "windows": [{"span": "1d", "count": 5}, *windows]}
    return {"keys": keys, "groups": {"team": {"keys": ["a", "k"], "limits": [shared]}}}


CASES = {
    "a total for each destination": (
        _windows(MINUTE | EACH | {"total": "1"}),
        _windows(),
        "keys.k.limits.USD.windows.60s.destination.total",
    ),
    "a total for each caller, which one request breaks": (
        _windows({"span": "2h", "total": "1", "per": "caller"}, {"span": "2h", "count": 1}),
        _windows({"span": "2h", "count": 1}),
        "keys.k.limits.USD.windows.2h.caller.total",
    ),
    "a total that others have spent": (
        _windows(MINUTE | {"total": "9"}, MINUTE | EACH | {"total": "5", "count": 1}),
        _windows(MINUTE | EACH | {"total": "5", "count": 1}),
        "keys.k.limits.USD.windows.60s.total",
    ),
    "a count of which others have had all": (
        _windows(MINUTE | {"count": 1}, MINUTE | {"per": "caller", "count": 1}),
        _windows(MINUTE | {"per": "caller", "count": 1}),
        "keys.k.limits.USD.windows.60s.count",
    ),
    "more in one request than any destination may have": (
        _windows(MINUTE | EACH | {"total": "2"}, per_request="3"),
        _windows(MINUTE | EACH | {"total": "2"}, per_request="4"),
        "keys.k.limits.USD.per_request",
    ),
    "more in one request than the only destination may have": (
        _windows(MINUTE | EACH | {"total": "1"}, per_request="2", grant=TO_X),
        _windows(MINUTE | EACH | {"total": "1"}, per_request="6", grant=TO_X),
        "keys.k.limits.USD.per_request",
    ),
    "a group's window, shown by its second key": (
        _group(MINUTE | {"total": "1"}, first=GRANT | PAST),
        _group(first=GRANT | PAST),
        "groups.team.limits.USD.windows.60s.total",
    ),
    "a key's window, full since before it joined the group": (
        _group(MINUTE | {"count": 1}, own=MINUTE | {"count": 1}),
        _group(MINUTE | {"count": 1}),
        "keys.k.limits.USD.windows.60s.count",
    ),
    "two destinations of which no grant had both": (
        _grants(TO_X, TO_Y | OTHER),
        _grants(GRANT, TO_Y | OTHER),
        "keys.k.grants.g.destinations",
    ),
    "two assets of which no grant had both": (
        _grants(TO_X, TO_X | OTHER | {"assets": ["EUR"]}),
        _grants(TO_X | {"assets": ["USD", "EUR"]}, TO_X | OTHER | {"assets": ["EUR"]}),
        "keys.k.grants.g.assets",
    ),
    "a new grant, once the old one has ended": (
        _grants(GRANT | OVER),
        _grants(GRANT | OVER, GRANT | OTHER),
        "keys.k.grants.other",
    ),
    "a destination, once the grant that had it has ended": (
        _grants(TO_X, TO_Y | OTHER | OVER),
        _grants(GRANT, TO_Y | OTHER | OVER),
        "keys.k.grants.g.destinations",
    ),
    "a new grant of payloads that are good for longer": (
        _grants(GRANT | {"lifetime": "60s"}),
        _grants(GRANT | {"lifetime": "60s"}, GRANT | OTHER),
        "keys.k.grants.other",
    ),
    "a new grant with a longer lifetime": (
        _grants(GRANT | {"lifetime": "60s"}),
        _grants(GRANT | {"lifetime": "60s"}, GRANT | OTHER | {"lifetime": "90s"}),
        "keys.k.grants.other",
    ),
    "a new grant without the approval of the old one": (
        _grants(GRANT | {"approval": APPROVED}),
        _grants(GRANT | {"approval": APPROVED}, GRANT | OTHER),
        "keys.k.grants.other",
    ),
    "a new grant at a price that the old one has a bound for": (
        _grants(GRANT | DEAR | {"worst_price": {"buy": "3"}}),
        _grants(GRANT | DEAR | {"worst_price": {"buy": "3"}}, GRANT | OTHER | DEAR),
        "keys.k.grants.other",
    ),
    "a new grant to sell, where the old one has a bound for buying alone": (
        _grants(GRANT | DEAR | {"worst_price": {"buy": "3"}}),
        _grants(
            GRANT | DEAR | {"worst_price": {"buy": "3"}}, GRANT | OTHER | DEAR | {"sides": ["sell"]}
        ),
        "keys.k.grants.other",
    ),
    "a caller that no other grant had, among many": (
        _grants(GRANT | {"callers": ["b.example", "c.example", "d.example"]}),
        _grants(
            GRANT | {"callers": ["b.example", "c.example", "d.example"]},
            GRANT | OTHER | {"callers": ["b.example", "c.example", "d.example", "e.example"]},
        ),
        "keys.k.grants.other",
    ),
    "a network that begins where a smaller one did": (
        _grants(GRANT | {"networks": ["10.0.0.0/16"]}),
        _grants(GRANT | {"networks": ["10.0.0.0/8"]}),
        "keys.k.grants.g.networks",
    ),
    "hours that first come in the week after the grant begins": (
        _grants(GRANT | SUNDAY_ON),
        _grants(GRANT | SUNDAY_ON | {"hours": MONDAY, "session": True}),
        "keys.k.grants.g.session",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_loosening_at_several_edges_has_a_witness(case: str, compiled: Compile) -> None:
    """The engine allows it under the new policy, and denies it under the old one."""
    before, after, path = CASES[case]
    old, new = compiled(HEAD | before), compiled(HEAD | after)
    (found,) = (change.witness for change in compare(old, new) if change.path == path)
    assert found is not None
    assert _allowed(new, found)
    assert not _allowed(old, found)


def test_two_halves_that_become_one_network_have_no_witness(compiled: Compile) -> None:
    """The whole is called looser than its parts, and there is no address to show for it."""
    halves, whole = ["10.0.0.0/9", "10.128.0.0/9"], ["10.0.0.0/8"]
    old, new = (
        compiled(HEAD | _grants(GRANT | {"networks": networks})) for networks in (halves, whole)
    )
    (change,) = (item for item in compare(old, new) if item.direction is Direction.LOOSER)
    assert change.path == "keys.k.grants.g.networks"
    assert change.witness is None


def _allowed(policy: Policy, item: Witness) -> bool:
    return decide(policy, item.ask, item, item.at_ms, item.approved_by).allowed
