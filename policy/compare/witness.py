"""Looks for a request that the new policy allows and the old one denies.

It tries requests at the edge of what changed and asks the engine. Finding none
proves nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from policy.assets import Asset
from policy.compare import shared
from policy.compare.change import Witness
from policy.compare.edit import Edit, is_within
from policy.compare.limits import Bound
from policy.engine import decide
from policy.model import Ask, Counter, Used
from policy.rules import Per, Policy, WindowLimit

Make = Callable[[Edit], Iterator[tuple[Ask, int]]]

_OTHERS = 4  # old grants that a request is to be outside of
_TRIES = 2000  # requests tried for one change; each takes microseconds


def find(old: Policy, new: Policy, key: str, path: str) -> Witness | None:
    """Return a request that shows the loosening at ``path``; None if none was found."""
    make = shared.usual(new)
    found = (item for edit in _edits(old, new, key, path) for item in _candidates(edit, make))
    return _first(old, new, found)


def find_shared(old: Policy, new: Policy, path: str) -> Witness | None:
    """Do the same for what keys share, a market or a call."""
    make = shared.maker(new, path)
    if make is None:
        return None
    edits = (edit for key in sorted(new.keys) for edit in _edits(old, new, key, path))
    return _first(old, new, (item for edit in edits for item in _candidates(edit, make)))


def _first(old: Policy, new: Policy, found: Iterator[Witness]) -> Witness | None:
    return next((item for item in islice(found, _TRIES) if _shows(old, new, item)), None)


def _shows(old: Policy, new: Policy, item: Witness) -> bool:
    """Ask the engine."""
    allowed = decide(new, item.ask, item, item.at_ms, item.approved_by).allowed
    return allowed and not decide(old, item.ask, item, item.at_ms, item.approved_by).allowed


def _edits(old: Policy, new: Policy, key: str, path: str) -> Iterator[Edit]:
    """Look at the grant that the path names, or else at each."""
    before, after = old.keys.get(key), new.keys[key]
    known = {grant.id: grant for grant in before.grants} if before else {}
    named = [grant for grant in after.grants if is_within(path, grant.path)]
    for grant in named or after.grants:
        others = (item for item in known.values() if item.id != grant.id)
        alike = islice((item for item in others if item.action == grant.action), _OTHERS)
        yield Edit(path, before, after, known.get(grant.id), grant, tuple(alike))


def _candidates(edit: Edit, make: Make) -> Iterator[Witness]:
    for ask, at_ms in make(edit):
        for approved_by in _approvals(edit, ask.caller):
            for spent in _states(edit, ask):
                yield Witness(ask, at_ms, approved_by, spent)


def _approvals(edit: Edit, caller: str) -> Iterator[frozenset[str]]:
    """Nobody; just enough of the new policy's approvers, its own first."""
    yield frozenset()
    if edit.after.approval:
        known = frozenset[str]().union(
            *(item.approval.approvers for item in edit.olds if item.approval)
        )
        others = edit.after.approval.approvers - {caller}
        ranked = sorted(others, key=lambda san: (san in known, san))
        yield frozenset(ranked[: edit.after.approval.quorum])


def _states(edit: Edit, ask: Ask) -> Iterator[dict[Counter, Used]]:
    """Nothing spent; where a window changed, so much that one more is too much for the old."""
    yield {}
    for limit in edit.new.limits.values():
        for bound in edit.bounds(limit.asset.name):
            for windows in _held(bound, edit.windows(limit.asset.name)):
                yield _brimful(bound, windows, limit.asset, ask)


def _held(bound: Bound, windows: list[WindowLimit]) -> Iterator[list[WindowLimit]]:
    """Return which windows may hold what the bound's holds.

    All do; those of other callers and destinations do not; those of the group do not, which
    the key joined later, or those of the key, while another of the group spent it.
    """
    yield windows
    by_others = [window for window in windows if window.per in {Per.KEY, bound.per}]
    yield by_others
    yield [window for window in by_others if window.counter.key == bound.counter.key]


def _brimful(
    bound: Bound, windows: Iterable[WindowLimit], asset: Asset, ask: Ask
) -> dict[Counter, Used]:
    """Fill a window by one charge that is just about to leave it: longer ones hold it too."""
    paid: dict[str, int] = {}
    for item in ask.facts.transfers:
        if item.asset == asset.ref:
            paid[item.destination or ""] = paid.get(item.destination or "", 0) + item.amount
    moved = sum(paid.values())
    paid.pop("", None)
    counted = max(paid.values(), default=0) if bound.per is Per.DESTINATION else moved
    full = Used(0, bound.most)
    if bound.kind == "total":
        full = Used(max(0, bound.most - counted + 1), 1)
    return {
        counter: full
        for window in windows
        if window.counter.span_ms >= bound.counter.span_ms
        for counter, _ in window.shares(ask.caller, moved, paid)
    }
