"""What requests at the edge of a change move: how much of what, to whom, in how many parts."""

from collections.abc import Iterator
from itertools import product, repeat

from policy.compare.edit import Chosen, Edit
from policy.model import Role, Transfer
from policy.rules import KeyPolicy, Limit

_EACH = 3  # places that an amount is shared out to
_OTHERS = 8  # things that move beside what is asked for

Transfers = tuple[Transfer, ...]


def transfers(edit: Edit, chosen: Chosen) -> Iterator[Transfers]:
    """Move the asset whose limit the change is of, or else the one that was chosen."""
    named = next(filter(edit.is_of_limit, edit.new.limits), None)
    limit = edit.new.limits.get(named or chosen.asset or "")
    if limit is None:
        yield ()
        return
    for amount in _amounts(edit, limit):
        yield tuple(_moved(edit.new, limit, amount, chosen))
        if named and chosen.asset == named:
            yield from _shared_out(edit, limit, amount, chosen)
    if edit.adds("destinations") or edit.adds("assets"):
        yield from _together(edit, limit, chosen)


def _moved(new: KeyPolicy, limit: Limit, amount: int, chosen: Chosen) -> Iterator[Transfer]:
    """Pay an amount; of what was not chosen, as the fee of a small payment."""
    if chosen.asset == limit.asset.name:
        yield Transfer(limit.asset.ref, amount, chosen.destination)
        return
    if chosen.asset:
        yield Transfer(new.limits[chosen.asset].asset.ref, 1, chosen.destination)
    yield Transfer(limit.asset.ref, amount, None, Role.FEE)


def _shared_out(edit: Edit, limit: Limit, amount: int, chosen: Chosen) -> Iterator[Transfers]:
    """Pay an amount to several, and nearly all as a fee: windows of destinations count less."""
    places = sorted(edit.after.destinations)[:_EACH]
    parts = [(amount + index) // len(places) for index in range(len(places))]
    if len(places) > 1:
        yield tuple(map(Transfer, repeat(limit.asset.ref), parts, places))
    yield (
        Transfer(limit.asset.ref, 1, chosen.destination),
        Transfer(limit.asset.ref, amount - 1, None, Role.FEE),
    )


def _together(edit: Edit, limit: Limit, chosen: Chosen) -> Iterator[Transfers]:
    """Move something else too: no other grant may allow both, though one each."""
    first = Transfer(limit.asset.ref, 1, chosen.destination)
    others = sorted(product(edit.after.assets, edit.after.destinations))
    for asset, destination in others[:_OTHERS]:
        yield first, Transfer(edit.new.limits[asset].asset.ref, 1, destination)


def _amounts(edit: Edit, limit: Limit) -> list[int]:
    """Return the amounts that fit the limit at which one of the policies changes its mind."""
    name, most = limit.asset.name, limit.per_request
    edges = {1, most}
    old = edit.old.limits.get(name) if edit.old else None
    if old:
        edges.add(old.per_request + 1)
        edges |= {bound.most + 1 for bound in edit.bounds(name) if bound.kind == "total"}
    for grant in (*edit.olds, edit.after):
        if grant.approval and name in grant.approval.above:
            edges |= {grant.approval.above[name], grant.approval.above[name] + 1}
    return sorted(edge for edge in edges if min(1, most) <= edge <= most)
