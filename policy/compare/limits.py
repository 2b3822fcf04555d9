"""Compares the limits of a key. Limits are AND: each old bound must still be held.

An asset without a limit cannot move, so the first limit on it is a loosening.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from policy import amounts
from policy.assets import Asset
from policy.compare.change import Change, Direction, most
from policy.model import Counter
from policy.rules import KeyPolicy, Limit, Per


class Bound(NamedTuple):
    """One bound of a window: its ``kind`` is ``total`` (base units) or ``count``."""

    counter: Counter
    per: Per
    kind: str
    most: int
    path: str


def limits(old: KeyPolicy, new: KeyPolicy) -> Iterator[Change]:
    """Compare what may leave of each asset."""
    for name, after in sorted(new.limits.items()):
        before = old.limits.get(name)
        if before is None:
            text = f"is a new limit: {name} could not move before"
            yield Change(after.path, Direction.LOOSER, text)
        else:
            yield from _limit(before, after)
    for name in sorted(old.limits.keys() - new.limits.keys()):
        text = f"is removed: {name} cannot move now"
        yield Change(old.limits[name].path, Direction.TIGHTER, text)


def bounds(limit: Limit) -> list[Bound]:
    """Return every bound of every window."""
    return [
        Bound(window.counter, window.per, kind, number, f"{window.path}.{kind}")
        for window in limit.windows
        for kind, number in (("total", window.max_total), ("count", window.max_requests))
        if number is not None
    ]


def implies(strict: Bound, lax: Bound) -> bool:
    """Whether whatever passes ``strict`` passes ``lax``, on the same history."""
    ours, theirs = strict.counter, lax.counter
    return (
        (ours.key, ours.asset, *strict[1:3]) == (theirs.key, theirs.asset, *lax[1:3])
        and ours.span_ms >= theirs.span_ms  # a longer window holds all that a shorter one does
        and strict.most <= lax.most
    )


def _limit(old: Limit, new: Limit) -> Iterator[Change]:
    if old.asset != new.asset:
        text = f"{new.asset.name} is now {_meaning(new.asset)}; it was {_meaning(old.asset)}"
        yield Change(new.path, Direction.LOOSER, text)
    show = _shown(new.asset)
    yield from most(f"{new.path}.per_request", old.per_request, new.per_request, show)
    before, after = bounds(old), bounds(new)
    yield from _lost(before, after, new.asset, Direction.LOOSER, ("rises", "is gone"))
    yield from _lost(after, before, new.asset, Direction.TIGHTER, ("falls", "is new"))


def _lost(
    these: Sequence[Bound],
    those: Sequence[Bound],
    asset: Asset,
    direction: Direction,
    verbs: tuple[str, str],
) -> Iterator[Change]:
    """Name every bound of these that none of those holds."""
    moved, gone = verbs
    for bound in these:
        if any(implies(other, bound) for other in those):
            continue
        show = _shown(asset) if bound.kind == "total" else _requests
        twins = [other for other in those if other[:3] == bound[:3]]
        if twins:
            first, last = sorted((bound.most, twins[0].most), reverse=moved == "falls")
            text = f"{moved} from {show(first)} to {show(last)}"
        else:
            text = f"the bound of {show(bound.most)} {gone}"
        yield Change(bound.path, direction, text)


def _shown(asset: Asset) -> Callable[[int], str]:
    return lambda amount: f"{amounts.to_text(amount, asset.decimals)} {asset.name}"


def _requests(number: int) -> str:
    return f"{number} requests"


def _meaning(asset: Asset) -> str:
    return f"{asset.ref} with {asset.decimals} decimals"
