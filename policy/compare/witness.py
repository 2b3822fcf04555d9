"""Looks for a request that the new policy allows and the old one denies.

It tries requests at the edge of what changed, made from the new policy's own
values, and asks the engine. Finding none proves nothing.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from policy import amounts
from policy.compare.change import Witness
from policy.compare.grants import LISTED
from policy.compare.limits import Bound, bounds
from policy.compare.schedule import instants, times
from policy.engine import decide
from policy.model import Ask, Counter, Facts, Role, Side, Transfer, Used
from policy.rules import PRICE_DECIMALS, Grant, KeyPolicy, Limit, Policy
from policy.windows import covers

_T = TypeVar("_T")
_EACH = 3  # values tried of each list that did not change
_TIMES = ("hours", "not_before", "expires")
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
        or [None]  # no asset, no destination: nothing moves
        for field in LISTED
    ]
    formats = _picked(old.formats if old else frozenset(), new.formats, focus="payloads" in path)
    when = instants(
        before and times(before),
        times(after),
        focus=path in {f"{after.path}.{end}" for end in _TIMES},
    )
    where = _picked(_hosts(before), _hosts(after), focus=path == f"{after.path}.networks")
    for tag, at_ms, address, *values in _around([formats, when, where, *lists]):
        chosen = Chosen(*values)
        for transfers in _transfers(old, new, before, after, path, chosen):
            facts = Facts(
                after.action,
                transfers,
                chosen.chain_id,
                chosen.source,
                venue=chosen.venue,
                symbol=chosen.symbol,
                side=chosen.side,
                order_type=chosen.order_type,
                price=_price(before, after, chosen.side),
                session=chosen.session,
            )
            yield Ask(new.name, tag, chosen.caller, facts, address), at_ms


class Chosen(NamedTuple):
    """One value of each listed field of a grant, in the order of ``LISTED``."""

    caller: str
    chain_id: int | None
    asset: str | None
    destination: str | None
    source: str | None
    venue: str | None
    symbol: str | None
    side: Side | None
    order_type: str | None
    session: bool


def _around(lists: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    """Take the first of each list, then vary one after the other."""
    if not all(lists):
        return
    first = [items[0] for items in lists]
    yield first
    for index, items in enumerate(lists):
        for item in items[1:]:
            yield [*first[:index], item, *first[index + 1 :]]


def _hosts(grant: Grant | None) -> frozenset[str | None]:
    """Return an address of each network of a grant; None where any will do."""
    if grant is None or grant.networks is None:
        return frozenset((None,))
    return frozenset(str(network.network_address) for network in grant.networks)


def _price(before: Grant | None, after: Grant, side: Side | None) -> str | None:
    """Return the worst price that the new grant takes, or one that the old one does not."""
    if side is None:
        return None
    if after.worst_price is not None:
        price = after.worst_price.get(side, 0)
    else:
        old = before.worst_price.get(side, 0) if before and before.worst_price else 1
        price = old + 1 if side is Side.BUY else max(0, old - 1)
    return amounts.to_text(price, PRICE_DECIMALS)


def _transfers(
    old: KeyPolicy | None,
    new: KeyPolicy,
    before: Grant | None,
    after: Grant,
    path: str,
    chosen: Chosen,
) -> Iterator[tuple[Transfer, ...]]:
    """Move the asset whose limit the path names, or else the one that was chosen."""
    named = next((item for item in new.limits.values() if _within(path, item.path)), None)
    limit = named or new.limits.get(chosen.asset or "")
    if limit is None:
        yield ()
    else:
        name, most = limit.asset.name, limit.per_request
        edges = {1, most, *_edges(old, before, name), *_edges(new, after, name)}
        for amount in sorted(edge for edge in edges if min(1, most) <= edge <= most):
            yield tuple(_moved(new, limit, amount, chosen))


def _moved(new: KeyPolicy, limit: Limit, amount: int, chosen: Chosen) -> Iterator[Transfer]:
    """Pay an amount; of what was not chosen, as the fee of a small payment."""
    if chosen.asset == limit.asset.name:
        yield Transfer(limit.asset.ref, amount, chosen.destination)
        return
    if chosen.asset:
        yield Transfer(new.limits[chosen.asset].asset.ref, 1, chosen.destination)
    yield Transfer(limit.asset.ref, amount, None, Role.FEE)


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
    paid = {item.destination: moved for item in ask.facts.transfers if item.destination}
    return {
        counter: full
        for window in (*old.windows, *new.windows)
        for counter, _ in window.shares(ask.caller, moved, paid)
        if covers(counter.span_ms, bound.counter.span_ms)
    }


def _picked(old: AbstractSet[_T], new: AbstractSet[_T], *, focus: bool) -> list[_T]:
    """Return what was added if that is the question, else first what was there before."""
    order = sorted(new, key=lambda item: (item not in old, str(item)))
    return [item for item in order if item not in old] if focus else order[:_EACH]


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}.")
