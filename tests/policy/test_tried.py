"""What a comparison asks the engine about at the edge of a change, value by value.

``tried.json`` has for each change, those of ``test_edge_witnesses`` first, what moves, when,
from where, at which price and for how long: whatever a search no longer tries is seen in it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy.compare.edit import Edit
from policy.compare.requests import requests
from policy.model import Ask
from policy.rules import Policy
from tests.policy.test_edge_witnesses import APPROVED, CASES, DEAR, GRANT, HEAD, OTHER, OVER
from tests.policy.test_edge_witnesses import MONDAY as OPEN

Tree = dict[str, Any]

LIMIT: Tree = {"asset": "USD", "per_request": "9", "windows": [{"span": "1h", "count": 9}]}
SELL = GRANT | {"symbols": ["S"], "sides": ["buy", "sell"]}


def _changed(before: Tree, after: Tree, *, more: Tree = GRANT, path: str) -> tuple[Tree, Tree, str]:
    """Return two policies of one key with a second grant, and where they differ."""
    key = {"algorithm": "ed25519", "payloads": ["intent"], "limits": [LIMIT]}
    grants = (more | OTHER | {"callers": ["c.example"]},)
    old, new = ({"keys": {"k": key | {"grants": [item, *grants]}}} for item in (before, after))
    return old, new, f"keys.k.{path}"


MORE = {
    "a later end": _changed(
        GRANT | OVER, GRANT | {"expires": "2026-03-01T00:00:00Z"}, path="grants.g.expires"
    ),
    "an earlier begin": _changed(
        GRANT | {"not_before": "2026-03-04T05:06:07Z"},
        GRANT | {"not_before": "2026-03-01T00:00:00Z"},
        path="grants.g.not_before",
    ),
    "a date that is open again": _changed(
        GRANT | {"hours": OPEN | {"closed": ["2026-03-02", "2026-12-28"]}},
        GRANT | {"hours": OPEN | {"closed": ["2026-03-02"]}},
        path="grants.g.hours",
    ),
    "longer hours": _changed(
        GRANT | {"hours": OPEN},
        GRANT | {"hours": OPEN | {"days": "mon-tue", "to": "15:30"}},
        path="grants.g.hours",
    ),
    "a higher threshold": _changed(
        GRANT | {"approval": APPROVED},
        GRANT | {"approval": APPROVED | {"above": "7"}},
        path="grants.g.approval",
    ),
    "no bound on prices": _changed(
        SELL | {"worst_price": {"buy": "3", "sell": "2.5"}}, SELL, more=SELL, path="grants.g"
    ),
    "prices of a bound of its own": _changed(
        SELL,
        SELL | {"worst_price": {"buy": "3", "sell": "2.5"}},
        more=GRANT | DEAR,
        path="grants.g",
    ),
    "a longer lifetime": _changed(
        GRANT | {"lifetime": "60s"}, GRANT | {"lifetime": "61s"}, path="grants.g.lifetime"
    ),
    "no lifetime": _changed(GRANT | {"lifetime": "60s"}, GRANT, path="grants.g.lifetime"),
    "any network": _changed(
        GRANT | {"networks": ["10.0.0.0/16", "192.0.2.1/32"]}, GRANT, path="grants.g.networks"
    ),
    "more networks": _changed(
        GRANT | {"networks": ["10.0.0.0/16"]},
        GRANT | {"networks": ["10.0.0.0/16", "192.0.2.0/24", "198.51.100.0/24"]},
        path="grants.g.networks",
    ),
    "a caller among networks": _changed(
        GRANT | {"networks": ["10.0.0.0/16"]},
        GRANT | {"networks": ["10.0.0.0/16"], "callers": ["a.example", "b.example"]},
        path="grants.g.callers",
    ),
    "a destination among five": _changed(
        GRANT | {"destinations": ["p", "q", "r", "s"]},
        GRANT | {"destinations": ["p", "q", "r", "s", "t"]},
        path="grants.g.destinations",
    ),
}

RECORD: dict[str, dict[str, list[Any]]] = json.loads(
    Path(__file__).with_name("tried.json").read_text("ascii")
)


@pytest.mark.parametrize("case", CASES | MORE)
def test_what_is_tried(case: str, compiled: Callable[[Tree], Policy]) -> None:
    """Each distinct value, in the order in which it first comes."""
    before, after, path = (CASES | MORE)[case]
    assert tried(compiled(HEAD | before), compiled(HEAD | after), path) == RECORD[case]


def tried(old: Policy, new: Policy, path: str) -> dict[str, list[Any]]:
    """Return the values of the requests about every grant of the key."""
    found: dict[str, list[Any]] = {}
    for grant in new.keys["k"].grants:
        known = {item.id: item for item in old.keys["k"].grants}
        others = tuple(item for item in known.values() if item.id != grant.id)
        edit = Edit(path, old.keys["k"], new.keys["k"], known.get(grant.id), grant, others)
        for ask, at_ms in requests(edit):
            for name, value in _values(ask, at_ms).items():
                values = found.setdefault(name, [])
                if value not in values:
                    values.append(value)
    return {name: values for name, values in found.items() if values != [None]}


def _values(ask: Ask, at_ms: int) -> dict[str, Any]:
    facts = ask.facts
    ahead = None if facts.expires_at is None else facts.expires_at * 1000 - at_ms
    return {
        "moves": [f"{item.amount} to {item.destination}" for item in facts.transfers],
        "at": at_ms,
        "caller": ask.caller,
        "address": ask.address,
        "ahead": ahead,
        "price": facts.price,
        "session": facts.session or None,
    }
