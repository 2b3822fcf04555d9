"""Limits of keys and groups that are refused: where, and with what advice."""

from collections.abc import Callable
from typing import Any

import pytest

from policy.problems import Problem

Tree = dict[str, Any]
Edit = Callable[[Tree, str, object], None]
Problems = Callable[[Tree], tuple[Problem, ...]]

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
LIMIT = "keys.wd.limits.0"
REMOVED = None  # TOML has no null, so None can stand for a field that is taken out

DAY = {"span": "24h", "total": "1"}
FINE = DAY | {"total": "0.0000001"}
GROUP = {"keys": ["wd"], "limits": [{"asset": "USDC@eip155:1", "windows": [DAY]}]}
CASES: dict[str, tuple[tuple[str, Any], str, str]] = {
    "amount as a number": (
        (f"{LIMIT}.per_request", 50000),
        "keys.wd.limits[0].per_request",
        'a number where a string belongs; write "50000" in quotes',
    ),
    "amount as a float": (
        (f"{LIMIT}.per_request", 0.5),
        "keys.wd.limits[0].per_request",
        'write "0.5" in quotes',
    ),
    "amount as a bool": (
        (f"{LIMIT}.per_request", True),
        "keys.wd.limits[0].per_request",
        "valid string, not true",
    ),
    "amount with a separator": (
        (f"{LIMIT}.per_request", "50_000"),
        "keys.wd.limits[0].per_request",
        "is not an amount",
    ),
    "amount decimals": (
        (f"{LIMIT}.per_request", "1.0000001"),
        "keys.wd.limits[0].per_request",
        "has 7 decimals; the asset has 6",
    ),
    "no per_request": (
        (f"{LIMIT}.per_request", REMOVED),
        "keys.wd.limits[0].per_request",
        "is required",
    ),
    "limit on an unknown asset": (
        ("keys.wd.limits.2", {"asset": "X", "per_request": "1", "windows": [{"span": "1h"}]}),
        "keys.wd.limits[2].windows[0]",
        "bounds nothing; give it a total, a count or both",
    ),
    "limit on an undefined asset": (
        (
            "keys.wd.limits.2",
            {"asset": "X", "per_request": "1", "windows": [{"span": "1h", "count": 1}]},
        ),
        "keys.wd.limits[2].asset",
        "X is not defined",
    ),
    "no windows": ((f"{LIMIT}.windows", []), "keys.wd.limits[0].windows", "must not be empty"),
    "window total decimals": (
        (f"{LIMIT}.windows.0.total", "0.0000001"),
        "keys.wd.limits[0].windows[0].total",
        "has 7 decimals",
    ),
    "window count zero": (
        (f"{LIMIT}.windows.0.count", 0),
        "keys.wd.limits[0].windows[0].count",
        "greater than or equal to 1",
    ),
    "unknown window field": (
        (f"{LIMIT}.windows.0.max", "1"),
        "keys.wd.limits[0].windows[0].max",
        "unknown field; known here: span, total, count",
    ),
    "span": ((f"{LIMIT}.windows.0.span", "1w"), "keys.wd.limits[0].windows[0].span", "not a span"),
    "span zero": (
        (f"{LIMIT}.windows.0.span", "0s"),
        "keys.wd.limits[0].windows[0].span",
        "not a span",
    ),
    "long span": (
        (f"{LIMIT}.windows.0.span", "367d"),
        "keys.wd.limits[0].windows[0].span",
        "367d is longer than 366d",
    ),
    "window twice": (
        (f"{LIMIT}.windows.1", {"span": "1d", "total": "1"}),
        "keys.wd.limits[0].windows[1].span",
        "USDC@eip155:1 has a window of 1d already",
    ),
    "window per anything": (
        (f"{LIMIT}.windows.0.per", "asset"),
        "keys.wd.limits[0].windows[0].per",
        "'key', 'caller' or 'destination'",
    ),
    "window per caller twice": (
        (
            f"{LIMIT}.windows",
            [{"span": span, "count": 1, "per": "caller"} for span in ("1d", "24h")],
        ),
        "keys.wd.limits[0].windows[1].span",
        "has a window of 24h per caller already",
    ),
    # Groups.
    "group of an unknown key": (
        ("groups", {"g": GROUP | {"keys": ["wd", "nope"]}}),
        "groups.g.keys[1]",
        "no key nope",
    ),
    "group limit on an unknown asset": (
        ("groups", {"g": GROUP | {"limits": [{"asset": "X", "windows": [DAY]}]}}),
        "groups.g.limits[0].asset",
        'X is not defined; add [assets."X"]',
    ),
    "group limit on what never moves": (
        ("groups", {"g": GROUP | {"limits": [{"asset": "EUR", "windows": [DAY]}]}}),
        "groups.g.limits",
        "no key of the group has a limit on EUR, so it never moves",
    ),
    "group window twice": (
        ("groups", {"g": GROUP | {"limits": [{"asset": "USDC@eip155:1", "windows": [DAY, DAY]}]}}),
        "groups.g.limits[0].windows[1].span",
        "has a window of 24h already",
    ),
    "group window decimals": (
        ("groups", {"g": GROUP | {"limits": [{"asset": "USDC@eip155:1", "windows": [FINE]}]}}),
        "groups.g.limits[0].windows[0].total",
        "has 7 decimals",
    ),
    "group field": (
        ("groups", {"g": GROUP | {"grants": []}}),
        "groups.g.grants",
        "unknown field; known here: keys, limits",
    ),
    "empty group": (("groups", {"g": GROUP | {"keys": []}}), "groups.g.keys", "must not be empty"),
    "window twice in two limits": (
        (
            "keys.wd.limits.2",
            {
                "asset": "USDC@eip155:1",
                "per_request": "1",
                "windows": [{"span": "1440m", "count": 1}],
            },
        ),
        "keys.wd.limits[2].windows[0].span",
        "has a window of 1440m already",
    ),
    "limit as text": (
        ("keys.wd.limits.0", "x" * 99),
        "keys.wd.limits[0]",
        f'must be a table, not "{"x" * 59}…',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_limit_names_the_place_and_the_remedy(
    case: str, tree: Tree, edit: Edit, problems: Problems
) -> None:
    """Each mistake is reported with its path and with what would be right."""
    (where, value), path, message = CASES[case]
    edit(tree, where, value)
    found = problems(tree)
    assert any(problem.path == path and message in problem.message for problem in found), found
