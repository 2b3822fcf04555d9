"""What must hold for any policy and any request, whatever they say."""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy.engine import decide
from policy.model import Ask, Counter, Facts, LimitState, Role, Transfer, Used
from policy.problems import PolicyError
from policy.rules import Policy

Tree = dict[str, Any]
Compile = Callable[[Tree], Policy]

# Small alphabets, so that most requests are near the edge of being allowed.
CALLERS = [f"spiffe://firm.example/{name}" for name in "ab"]
OFFICERS = [f"spiffe://firm.example/{name}" for name in "abcd"]
ASSETS = ["USD", "EUR"]
PLACES = ["acme", "umbrella"]
SETS: Tree = {"one": {"acme": "Acme"}, "both": {"acme": "Acme", "umbrella": "Umbrella"}}
SPANS = ["1m", "1h", "1d"]
NOW = 1_795_435_200_000  # Monday 2026-11-23 12:00 UTC


def _some(items: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(items), min_size=1, unique=True)


_amounts = st.integers(2, 12).map(str)
_windows = st.lists(
    st.fixed_dictionaries(
        {"span": st.sampled_from(SPANS), "total": _amounts, "count": st.integers(1, 3)}
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda window: window["span"],
)
_approvals = st.fixed_dictionaries(
    {"above": _amounts, "quorum": st.integers(1, 2), "approvers": _some(OFFICERS)}
)
_closing = st.sampled_from(["12:00", "13:00"])
_extras: st.SearchStrategy[Tree] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"sources": _some(PLACES)}),
    st.fixed_dictionaries({"approval": _approvals}),
    _closing.map(lambda to: {"hours": {"tz": "UTC", "days": "mon", "from": "00:00", "to": to}}),
)
_places_granted = st.one_of(_some([*PLACES, "@one"]), st.just(["@both"]))
_plain = st.fixed_dictionaries(
    {
        "callers": _some(CALLERS),
        "action": st.just("intent.transfer"),
        "assets": st.one_of(_some(ASSETS), st.just(ASSETS)),
        "destinations": _places_granted,
    }
)
_grants = st.builds(lambda plain, extras: plain | extras, _plain, _extras)


@st.composite
def documents(draw: st.DrawFn) -> Tree:
    """A key with one to three grants and a limit on each asset."""
    grants = draw(st.lists(_grants, min_size=1, max_size=3))
    limits = [
        {"asset": asset, "per_request": draw(_amounts), "windows": draw(_windows)}
        for asset in ASSETS
    ]
    key = {
        "algorithm": "ed25519",
        "payloads": ["intent"],
        "grants": [{"id": f"g{i}"} | grant for i, grant in enumerate(grants)],
        "limits": limits,
    }
    assets = {asset: {"decimals": 0} for asset in ASSETS}
    return {"schema": 1, "assets": assets, "addresses": SETS, "keys": {"k": key}}


_transfers = st.builds(
    Transfer,
    asset=st.sampled_from(ASSETS),
    amount=st.integers(0, 4),
    destination=st.sampled_from(PLACES),
    role=st.sampled_from(Role),
)
asks = st.builds(
    Ask,
    key=st.just("k"),
    format=st.just("intent"),
    caller=st.sampled_from(CALLERS),
    facts=st.builds(
        Facts,
        action=st.just("intent.transfer"),
        transfers=st.lists(_transfers, min_size=1, max_size=2).map(tuple),
        source=st.sampled_from([None, None, "acme"]),
    ),
)


class Usage:
    """The same small usage for every asset and span, drawn once."""

    def __init__(self, total: int, requests: int) -> None:
        self._used = Used(total, requests)

    def used(self, counter: Counter) -> Used:
        """Return the usage, whatever the counter."""
        return self._used


usages = st.builds(Usage, st.integers(0, 3), st.integers(0, 1))
approved = st.frozensets(st.sampled_from(OFFICERS))


def _policy(compiled: Compile, tree: Tree) -> Policy | None:
    try:
        return compiled(tree)
    except PolicyError:
        return None  # an impossible quorum


def _places(tree: Tree, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the place of every list in the tree that has something to remove."""
    found: list[tuple[str | int, ...]] = []
    node: Any = tree
    for part in place:
        node = node[part]
    if isinstance(node, list):
        found.append(place)
    children = node.keys() if isinstance(node, dict) else range(len(node))
    for child in children:
        if isinstance(node[child], dict | list):
            found += _places(tree, (*place, child))
    return found


def _at(tree: Tree, place: tuple[str | int, ...]) -> Any:
    node: Any = tree
    for part in place:
        node = node[part]
    return node


@settings(max_examples=300, deadline=None)
@given(documents(), asks, usages, approved, st.randoms(use_true_random=False))
def test_order_never_matters(
    compiled: Compile, tree: Tree, ask: Ask, usage: Usage, approved_by: frozenset[str], random: Any
) -> None:
    """Every list of a document may be written in any order."""
    policy = _policy(compiled, tree)
    assume(policy is not None)
    shuffled = copy.deepcopy(tree)
    for place in reversed(_places(shuffled)):  # inner lists first, while their places hold
        random.shuffle(_at(shuffled, place))
    again = _policy(compiled, shuffled)
    assert policy is not None
    assert again is not None
    first = decide(policy, ask, usage, NOW, approved_by)
    assert decide(again, ask, usage, NOW, approved_by) == first


def _remove(draw: Callable[[Any], Any], tree: Tree) -> None:
    """Take one grant, caller, asset, destination, source or approver away."""
    fields = ("grants", "callers", "assets", "destinations", "sources", "approvers")
    places = [place for place in _places(tree) if place[-1] in fields]
    items = _at(tree, draw(st.sampled_from(places)))
    del items[draw(st.integers(0, len(items) - 1))]


def _limit(draw: Callable[[Any], Any], tree: Tree) -> None:
    """Add one more limit on an asset."""
    limit = {
        "asset": draw(st.sampled_from(ASSETS)),
        "per_request": draw(_amounts),
        "windows": [{"span": "2h", "total": draw(_amounts)}],
    }
    tree["keys"]["k"]["limits"].append(limit)


def _close(draw: Callable[[Any], Any], tree: Tree) -> None:
    """Give a grant hours, in which it is now closed, or an approval."""
    grant = draw(st.sampled_from(tree["keys"]["k"]["grants"]))
    grant["hours"] = {"tz": "UTC", "days": "tue", "from": "00:00", "to": "24:00"}


@settings(max_examples=300, deadline=None)
@given(st.data(), documents(), asks, usages, approved)
def test_tightening_never_allows_more(
    compiled: Compile,
    data: st.DataObject,
    tree: Tree,
    ask: Ask,
    usage: Usage,
    approved_by: frozenset[str],
) -> None:
    """Less to grant, or one more limit, never turns a refusal into a permission."""
    tighter = copy.deepcopy(tree)
    data.draw(st.sampled_from([_remove, _limit, _close]))(data.draw, tighter)
    before, after = _policy(compiled, tree), _policy(compiled, tighter)
    assume(before is not None and after is not None)
    assert before is not None
    assert after is not None
    if decide(after, ask, usage, NOW, approved_by).allowed:
        assert decide(before, ask, usage, NOW, approved_by).allowed


@settings(max_examples=300, deadline=None)
@given(documents(), asks, usages, approved, _grants)
def test_a_grant_never_gets_round_a_limit(
    compiled: Compile, tree: Tree, ask: Ask, usage: Usage, approved_by: frozenset[str], grant: Tree
) -> None:
    """What is allowed fits into every limit, whatever is granted on top."""
    tree["keys"]["k"]["grants"].append(grant | {"id": "extra"})
    policy = _policy(compiled, tree)
    assume(policy is not None)
    assert policy is not None
    decision = decide(policy, ask, usage, NOW, approved_by)
    moved = _moved(ask)
    within = all(
        moved.get(limit["asset"], 0) <= int(limit["per_request"])
        for limit in tree["keys"]["k"]["limits"]
    )
    assert not decision.allowed or (within and all(map(_fits, decision.limits)))
    charged = {charge.counter.asset: charge.amount for charge in decision.charges}
    assert charged == (moved if decision.allowed else {})


def _moved(ask: Ask) -> dict[str, int]:
    moved: dict[str, int] = {}
    for transfer in ask.facts.transfers:
        moved[transfer.asset] = moved.get(transfer.asset, 0) + transfer.amount
    return moved


def _fits(state: LimitState) -> bool:
    total_fits = state.max_total is None or state.after.total <= state.max_total
    count_fits = state.max_requests is None or state.after.requests <= state.max_requests
    return total_fits and count_fits


def test_the_generated_requests_are_worth_deciding(compiled: Compile) -> None:
    """Among what is generated there is much of both answers."""
    answers: list[bool] = []

    @settings(derandomize=True, deadline=None)
    @given(documents(), asks, usages, approved)
    def collect(tree: Tree, ask: Ask, usage: Usage, approved_by: frozenset[str]) -> None:
        policy = _policy(compiled, tree)
        if policy is not None:
            answers.append(decide(policy, ask, usage, NOW, approved_by).allowed)

    collect()
    assert answers.count(True) >= 5
    assert answers.count(False) >= 5
