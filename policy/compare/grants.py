"""Compares the grants of a key. Grants are OR: what one no longer allows, another may.

A new grant is no wider than the old policy if each of its callers, on each of its
chains and for each source of funds, finds an old grant that allows at least as
much. (A request has one caller, one chain and one source, but several transfers.)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import product

from msgspec import structs

from policy.compare.change import Change, Direction, listed
from policy.compare.prices import worst_prices
from policy.compare.schedule import in_force, opening
from policy.networks import Network, within
from policy.rules import Approval, Grant, KeyPolicy

# The fields of a grant that list what is allowed, and what to call what has no name.
LISTED: Mapping[str, Mapping[object, str]] = {
    "callers": {},
    "chain_ids": {None: "no chain"},
    "assets": {},
    "destinations": {},
    "sources": {None: "the key's own funds"},
    "venues": {None: "no venue"},
    "symbols": {None: "no symbol"},
    "sides": {None: "no side"},
    "order_types": {None: "no order type"},
    "session": {True: "logons", False: "what is no logon"},
}


def grants(old: KeyPolicy, new: KeyPolicy) -> Iterator[Change]:
    """Compare all grants of a key, matched by their ids."""
    before = {grant.id: grant for grant in old.grants}
    movable = new.limits.keys()
    for grant in new.grants:
        found = _changed(before.pop(grant.id, None), grant, movable)
        if _covered(grant, old.grants, movable):
            found = [_harmless(change) for change in found]
        yield from found
    for grant in before.values():
        if _covered(grant, new.grants, old.limits.keys()):
            yield Change(grant.path, Direction.EQUAL, "is removed; other grants allow the same")
        else:
            yield Change(grant.path, Direction.TIGHTER, "is removed")


def between(old: Grant, new: Grant, movable: AbstractSet[str]) -> Iterator[Change]:
    """Compare two grants field by field; only assets in ``movable`` can move at all."""
    at = new.path
    if old.action != new.action:
        text = f"changes from {old.action} to {new.action}"
        yield Change(f"{at}.action", Direction.LOOSER, text)
    for field, words in LISTED.items():
        yield from listed(f"{at}.{field}", getattr(old, field), getattr(new, field), words)
    if old.assets and not new.assets:
        yield Change(f"{at}.assets", Direction.LOOSER, "now allows what moves nothing")
    yield from worst_prices(f"{at}.worst_price", old, new)
    yield from _networks(f"{at}.networks", old.networks, new.networks)
    yield from in_force(at, old, new)
    yield from _lifetimes(f"{at}.lifetime", old.lifetime_ms, new.lifetime_ms)
    yield from opening(f"{at}.hours", old.hours, new.hours)
    yield from _approval(f"{at}.approval", old.approval, new.approval, movable)


def _changed(old: Grant | None, new: Grant, movable: AbstractSet[str]) -> list[Change]:
    if old is not None:
        return list(between(old, new, movable))
    callers, assets = ", ".join(sorted(new.callers)), ", ".join(sorted(new.assets))
    text = f"is a new grant: {callers} may do {new.action} with {assets or 'nothing'}"
    return [Change(new.path, Direction.LOOSER, text)]


def _harmless(change: Change) -> Change:
    if change.direction is not Direction.LOOSER:
        return change
    text = f"{change.description}; the old policy allowed as much"
    return replace(change, direction=Direction.EQUAL, description=text)


def _covered(grant: Grant, others: Iterable[Grant], movable: AbstractSet[str]) -> bool:
    return all(any(_covers(other, part, movable) for other in others) for part in _parts(grant))


def _parts(grant: Grant) -> Iterator[Grant]:
    for caller, chain_id, source in product(grant.callers, grant.chain_ids, grant.sources):
        yield structs.replace(
            grant,
            callers=frozenset((caller,)),
            chain_ids=frozenset((chain_id,)),
            sources=frozenset((source,)),
        )


def _covers(wide: Grant, narrow: Grant, movable: AbstractSet[str]) -> bool:
    found = between(wide, narrow, movable)
    return all(change.direction is not Direction.LOOSER for change in found)


def _networks(
    at: str, old: Sequence[Network] | None, new: Sequence[Network] | None
) -> Iterator[Change]:
    """Compare where callers are; None is anywhere."""
    if added := _outside(new, old):
        yield Change(at, Direction.LOOSER, f"adds {added}")
    if removed := _outside(old, new):
        yield Change(at, Direction.TIGHTER, f"removes {removed}")


def _outside(these: Sequence[Network] | None, those: Sequence[Network] | None) -> str:
    """Name these that are in none of those."""
    if those is None:
        return ""
    if these is None:
        return "anywhere"
    alone = (item for item in these if not any(within(item, other) for other in those))
    return ", ".join(sorted(map(str, alone)))


def _lifetimes(at: str, old: int | None, new: int | None) -> Iterator[Change]:
    """Compare how far ahead payloads may expire; None is any time."""
    if old == new:
        return
    before, after = ("any time" if item is None else f"{item} ms" for item in (old, new))
    longer = new is None or (old is not None and new > old)
    direction = Direction.LOOSER if longer else Direction.TIGHTER
    yield Change(at, direction, f"changes from {before} to {after}")


def _approval(
    at: str, old: Approval | None, new: Approval | None, movable: AbstractSet[str]
) -> Iterator[Change]:
    if old is None or new is None:
        if new is not None:
            yield Change(at, Direction.TIGHTER, f"is new: {_people(new)}")
        elif old is not None:
            yield Change(at, Direction.LOOSER, f"is gone; it was {_people(old)}")
        return
    yield from _thresholds(f"{at}.above", old, new, movable)
    yield from _quorum(at, old, new)


def _thresholds(
    at: str, old: Approval, new: Approval, movable: AbstractSet[str]
) -> Iterator[Change]:
    """Each asset that can move: a fee too, although no grant need name its asset."""
    for asset in sorted(movable & (old.above.keys() | new.above.keys())):
        before, after = old.above.get(asset), new.above.get(asset)
        if before is None or (after is not None and after < before):
            yield Change(at, Direction.TIGHTER, f"is lower for {asset}")
        elif after is None or after > before:
            yield Change(at, Direction.LOOSER, f"is higher for {asset}")


def _quorum(at: str, old: Approval, new: Approval) -> Iterator[Change]:
    """A quorum with new approvers may be reached without them: they count as given."""
    if (old.quorum, old.approvers) == (new.quorum, new.approvers):
        return
    text = f"changes from {_people(old)} to {_people(new)}"
    looser = new.quorum - len(new.approvers - old.approvers) < old.quorum
    yield Change(at, Direction.LOOSER if looser else Direction.TIGHTER, text)


def _people(approval: Approval) -> str:
    return f"{approval.quorum} of {', '.join(sorted(approval.approvers))}"
