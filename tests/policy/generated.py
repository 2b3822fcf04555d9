"""Documents, edits of them, requests and histories for properties of whole policies.

The alphabets are small, so that most requests are near the edge of being allowed.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from policy.model import Ask, Counter, Facts, Role, Side, Transfer, Usage, Used
from policy.windows import Window

Tree = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

CALLERS = ["a.example", "b.example"]
OFFICERS = ["a.example", "x.example", "y.example"]
ASSETS = ["USD", "EUR"]
PLACES = ["acme", "umbrella"]
SPANS = {"60s": 60_000, "61s": 61_000, "1h": 3_600_000, "3601s": 3_601_000, "1d": 86_400_000}
NOW = 1_795_435_200_000  # Monday 2026-11-23 12:00 UTC
MINUTE = 60_000

_amounts = st.integers(1, 8).map(str)


def some(items: list[str]) -> st.SearchStrategy[list[str]]:
    """At least one of the items."""
    return st.lists(st.sampled_from(items), min_size=1, unique=True)


_opening = st.fixed_dictionaries(
    {
        "tz": st.sampled_from(["UTC", "UTC", "Europe/Berlin"]),
        "days": st.sampled_from(["mon", "mon-tue", "tue", "sun"]),
        "from": st.sampled_from(["00:00", "12:00", "23:00"]),
        "to": st.sampled_from(["12:01", "14:00"]),
    },
    optional={"closed": some(["2026-11-22", "2026-11-23", "2026-11-24"])},
)
_hours = st.one_of(_opening, st.lists(_opening, min_size=1, max_size=2, unique_by=str))
_approvals = st.fixed_dictionaries(
    {"above": _amounts, "quorum": st.integers(1, 2), "approvers": some(OFFICERS)}
)
_windows = st.lists(
    st.one_of(
        st.fixed_dictionaries({"span": st.sampled_from([*SPANS]), "total": _amounts}),
        st.fixed_dictionaries({"span": st.sampled_from([*SPANS]), "count": st.integers(1, 3)}),
        st.fixed_dictionaries(
            {
                "span": st.sampled_from([*SPANS]),
                "total": _amounts,
                "per": st.sampled_from(["caller", "destination"]),
            }
        ),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda window: window["span"],
)
# The fields of each table that an edit may replace, and by what.
GRANT: dict[str, st.SearchStrategy[Any]] = {
    "callers": some(CALLERS),
    "assets": some(ASSETS),
    "destinations": some(PLACES),
    "sources": some(PLACES),
    "hours": _hours,
    "networks": some(["10.1.0.0/16", "10.0.0.0/8", "10.1.2.0/24"]),
    "expires": st.sampled_from(["2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z"]),
    "not_before": st.sampled_from(["2026-11-22T12:00:00Z", "2026-11-23T11:00:00Z"]),
    "lifetime": st.sampled_from(["30s", "60s", "1h"]),
    "session": st.booleans(),
    "sides": some(["buy", "sell"]),
    "approval": _approvals,
}
REQUIRED = {"callers", "assets", "destinations"}
LIMIT: dict[str, st.SearchStrategy[Any]] = {"per_request": _amounts, "windows": _windows}


@st.composite
def documents(draw: st.DrawFn) -> Tree:
    """A key with one or two grants and a limit on each asset."""
    grants = [_grant(draw) | {"id": f"g{i}"} for i in range(draw(st.integers(1, 2)))]
    limits = [
        {"asset": asset} | {field: draw(values) for field, values in LIMIT.items()}
        for asset in ASSETS
    ]
    key = {"algorithm": "ed25519", "payloads": ["intent"], "grants": grants, "limits": limits}
    assets = {asset: {"decimals": 0} for asset in ASSETS}
    return {"schema": 1, "assets": assets, "keys": {"k": key}}


def _grant(draw: Draw) -> Tree:
    optional = draw(st.sets(st.sampled_from(sorted(GRANT.keys() - REQUIRED)), max_size=2))
    fields = sorted(REQUIRED | optional)
    return {"action": "intent.transfer"} | {field: draw(GRANT[field]) for field in fields}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tree, Tree]:
    """A document, and the same after one to three edits."""
    old = draw(documents())
    new = copy.deepcopy(old)
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        draw(st.sampled_from(EDITS))(draw, new["keys"]["k"])
    return old, new


def _edit_grant(draw: Draw, key: Tree) -> None:
    grant = draw(st.sampled_from(key["grants"]))
    field = draw(st.sampled_from(sorted(GRANT)))
    if field in grant and field not in REQUIRED and draw(st.booleans()):
        del grant[field]
    else:
        grant[field] = draw(GRANT[field])


def _edit_limit(draw: Draw, key: Tree) -> None:
    limit = draw(st.sampled_from(key["limits"]))
    field = draw(st.sampled_from(sorted(LIMIT)))
    limit[field] = draw(LIMIT[field])


def _add_grant(draw: Draw, key: Tree) -> None:
    key["grants"].append(_grant(draw) | {"id": f"n{len(key['grants'])}"})


def _remove_grant(draw: Draw, key: Tree) -> None:
    if len(key["grants"]) > 1:
        key["grants"].remove(draw(st.sampled_from(key["grants"])))


EDITS = (_edit_grant, _edit_limit, _add_grant, _remove_grant)


class Past(NamedTuple):
    """One charge."""

    age_ms: int
    amount: int
    caller: str
    destination: str


@dataclass(frozen=True, slots=True)
class Case:
    """A request, when it comes, who approved it and what was spent before."""

    ask: Ask
    now_ms: int
    approved_by: frozenset[str]
    usage: Usage


def cases(seed: int, count: int) -> Iterator[Case]:
    """Many requests from one seed: plain random numbers are much faster than strategies."""
    random = Random(seed)
    for _ in range(count):
        now_ms = NOW + random.choice((-61, 0, 90, 1440)) * MINUTE
        charges = [_charge(random) for _ in range(random.randrange(4))]
        approved_by = frozenset(random.sample(OFFICERS, random.randrange(len(OFFICERS) + 1)))
        yield Case(_ask(random), now_ms, approved_by, History(charges, now_ms))


def _ask(random: Random) -> Ask:
    transfers = tuple(_transfer(random) for _ in range(random.choice((1, 1, 2))))
    source = random.choice((None, None, *PLACES))
    side = random.choice((None, None, *Side))
    session = random.random() < 0.1
    price = None if side is None else random.choice(("1", "1", None))
    expires_at = random.choice((None, None, NOW // 1000 + random.choice((30, 45, 90, 5400))))
    facts = Facts(
        "intent.transfer",
        transfers,
        source=source,
        expires_at=expires_at,
        side=side,
        price=price,
        session=session,
    )
    address = random.choice((None, "10.1.2.3", "10.1.3.3", "10.2.0.1"))
    return Ask("k", "intent", random.choice(CALLERS), facts, address)


def _transfer(random: Random) -> Transfer:
    role = random.choice((*Role, Role.PAYMENT, Role.PAYMENT))
    return Transfer(random.choice(ASSETS), random.randrange(9), random.choice(PLACES), role)


def _charge(random: Random) -> Past:
    span = random.choice(sorted(SPANS.values()))
    age_ms = random.choice((random.randrange(span), span + random.randint(-60, 60)))
    return Past(age_ms, random.randrange(7), random.choice(CALLERS), random.choice(PLACES))


class History:
    """Charges of the past, kept by real windows of whatever span is asked for.

    Each charge counts for every asset, and for its own caller and destination.
    """

    def __init__(self, charges: list[Past], now_ms: int) -> None:
        self._charges = sorted(charges, reverse=True)
        self._now = now_ms
        self._found: dict[Counter, Used] = {}

    def used(self, counter: Counter) -> Used:
        """Return what a window of the counter's span would hold."""
        if counter not in self._found:
            self._found[counter] = self._used(counter)
        return self._found[counter]

    def _used(self, counter: Counter) -> Used:
        window = Window(counter.span_ms)
        _, _, name = counter.key.partition(" ")
        for past in self._charges:
            if name in {"", f"caller {past.caller}", f"destination {past.destination}"}:
                window.charge(self._now - past.age_ms, past.amount)
        return window.used(self._now)

    def __repr__(self) -> str:
        return f"History({self._charges}, {self._now})"
