"""Looks for a request that the new policy allows and the old one denies.

It tries requests at the edge of what changed, made from the new policy's own
values, and asks the engine. Finding none proves nothing.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import islice, product
from typing import TypeVar

from policy.compare.change import Witness
from policy.compare.grants import LISTED
from policy.compare.limits import Bound, bounds
from policy.compare.schedule import instants
from policy.engine import decide
from policy.model import Ask, Counter, Facts, Role, Transfer, Used
from policy.rules import Grant, KeyPolicy, Limit, Policy
from policy.windows import covers

_T = TypeVar("_T")
_EACH = 2  # values tried of each list that did not change
_TRIES = 2000  # requests tried for one change; each takes microseconds


def find(old: Policy, new: Policy, key: str, path: str) -> Witness | None:
    """Return a request that shows the loosening at ``path``; None if none was found."""
    found = islice(_candidates(old.keys.get(key), new.keys[key], path), _TRIES)
    return next((item for item in found if _shows(old, new, item)), None)


def _shows(old: Policy, new: Policy, item: Witness) -> bool:
    """Ask the engine."""
    allowed = decide(new, item.ask, item, item.at_ms, item.approved_by).allowed
    return allowed and not decide(old, item.ask, item, item.at_ms, item.approved_by).allowed


def _candidates(old: KeyPolicy | None, new: KeyPolicy, path: str) -> Iterator[Witness]:
    named = [grant for grant in new.grants if _within(path, grant.path)]
    before = {grant.id: grant for grant in old.grants} if old else {}
    for grant in named or new.grants:
        for ask, at_ms in _asks(old, new, before.get(grant.id), grant, path):
            for approved_by in _approvals(before.get(grant.id), grant, ask.caller):
                for spent in _states(old, new, ask, path):
                    yield Witness(ask, at_ms, approved_by, spent)


def _asks(
    old: KeyPolicy | None, new: KeyPolicy, before: Grant | None, after: Grant, path: str
) -> Iterator[tuple[Ask, int]]:
    lists = [
        _picked(
            getattr(before, field, frozenset()),
            getattr(after, field),
            focus=path == f"{after.path}.{field}",
        )
        for field in LISTED
    ]
    formats = _picked(old.formats if old else frozenset(), new.formats, focus="payloads" in path)
    times = instants(before and before.hours, after.hours, focus=path == f"{after.path}.hours")
    for tag, at_ms, caller, chain_id, asset, destination, source in product(formats, times, *lists):
        for transfers in _transfers(old, new, before, after, path, asset, destination):
            facts = Facts(after.action, transfers, chain_id, source)
            yield Ask(new.name, tag, caller, facts), at_ms


def _transfers(
    old: KeyPolicy | None,
    new: KeyPolicy,
    before: Grant | None,
    after: Grant,
    path: str,
    asset: str,
    destination: str,
) -> Iterator[tuple[Transfer, ...]]:
    """Move the asset, or what the path is about: as a fee if the grant does not name it."""
    about = next((name for name, limit in new.limits.items() if _within(path, limit.path)), asset)
    limit = new.limits[about]
    most = limit.per_request
    edges = {1, most, *_edges(old, before, about), *_edges(new, after, about)}
    for amount in sorted(edge for edge in edges if min(1, most) <= edge <= most):
        if about in after.assets:
            yield (Transfer(limit.asset.ref, amount, destination),)
        else:
            paid = Transfer(new.limits[asset].asset.ref, 1, destination)
            yield (paid, Transfer(limit.asset.ref, amount, None, Role.FEE))


def _edges(key: KeyPolicy | None, grant: Grant | None, asset: str) -> Iterator[int]:
    """Amounts at which a policy changes its mind."""
    limit = key and key.limits.get(asset)
    if limit:
        yield limit.per_request + 1
    if grant and grant.approval and asset in grant.approval.above:
        yield grant.approval.above[asset]
        yield grant.approval.above[asset] + 1


def _approvals(before: Grant | None, after: Grant, caller: str) -> Iterator[frozenset[str]]:
    """Nobody; just enough of the new policy's approvers, its own first."""
    yield frozenset()
    if after.approval:
        known = before.approval.approvers if before and before.approval else frozenset[str]()
        ranked = sorted(after.approval.approvers - {caller}, key=lambda san: (san in known, san))
        yield frozenset(ranked[: after.approval.quorum])


def _states(
    old: KeyPolicy | None, new: KeyPolicy, ask: Ask, path: str
) -> Iterator[dict[Counter, Used]]:
    """Nothing spent; where a window changed, so much that one more is too much for the old."""
    yield {}
    for limit in old.limits.values() if old else ():
        for bound in bounds(limit):
            if bound.path == path:
                yield _brimful(bound, limit, new.limits[limit.asset.name], ask)


def _brimful(bound: Bound, old: Limit, new: Limit, ask: Ask) -> dict[Counter, Used]:
    """Fill a window by one charge that is just about to leave it: longer ones hold it too."""
    moved = sum(item.amount for item in ask.facts.transfers if item.asset == old.asset.ref)
    full = Used(max(0, bound.most - moved + 1), 1) if bound.kind == "total" else Used(0, bound.most)
    counters = {window.counter for window in (*old.windows, *new.windows)}
    return {item: full for item in counters if covers(item.span_ms, bound.counter.span_ms)}


def _picked(old: AbstractSet[_T], new: AbstractSet[_T], *, focus: bool) -> list[_T]:
    """Return what was added if that is the question, else first what was there before."""
    order = sorted(new, key=lambda item: (item not in old, str(item)))
    return [item for item in order if item not in old] if focus else order[:_EACH]


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}.")
