"""Compares what the keys of a policy share: pinned calls, and the assets of swaps.

What one of them means now can't be compared with what it meant: another meaning is looser.
"""

from collections.abc import Iterator, Mapping

from policy.assets import Asset
from policy.compare.change import Change, Direction
from policy.contracts import PinnedCall
from policy.rules import Policy


def meanings(old: Policy, new: Policy) -> Iterator[Change]:
    """Return what other things names stand for, beside those of limits."""
    yield from _calls(_by_action(old), _by_action(new))
    for name in sorted(_swapped(old) | _swapped(new)):
        before, after = old.assets.get(name), new.assets.get(name)
        if before != after:
            direction = Direction.TIGHTER if after is None else Direction.LOOSER
            text = f"is {_meaning(after)}; it was {_meaning(before)}"
            yield Change(f'assets."{name}"', direction, f"of a swap, {text}")


def _calls(old: Mapping[str, PinnedCall], new: Mapping[str, PinnedCall]) -> Iterator[Change]:
    for action, call in sorted(new.items()):
        before = old.get(action)
        if before is None:
            yield Change(call.path, Direction.LOOSER, f"is a new call, {action}")
        elif before != call:
            yield Change(call.path, Direction.LOOSER, "means something else")
    for action in sorted(old.keys() - new.keys()):
        yield Change(old[action].path, Direction.TIGHTER, "is removed")


def _by_action(policy: Policy) -> dict[str, PinnedCall]:
    return {call.action: call for call in policy.calls.values()}


def _swapped(policy: Policy) -> set[str]:
    """Return the assets that grants name in symbols, as swaps do: ``sold/bought``."""
    return {
        name
        for key in policy.keys.values()
        for grant in key.grants
        for symbol in grant.symbols
        if symbol
        for name in symbol.split("/")
        if name in policy.assets
    }


def _meaning(asset: Asset | None) -> str:
    return "undefined" if asset is None else f"{asset.ref} with {asset.decimals} decimals"
