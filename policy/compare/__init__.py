"""Is one policy at most as permissive as another? Field by field, in a reviewer's words.

Sound, not complete: where no change is ``looser``, whatever the new policy allows
the old one allows too, at any time and whatever was spent before. What cannot be
proven to be tighter is called looser; most loosenings come with a witness.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import chain

from policy.compare import witness
from policy.compare.change import Change, Direction, Witness, listed
from policy.compare.grants import grants
from policy.compare.limits import limits
from policy.compare.meanings import meanings
from policy.compare.prices import markets
from policy.rules import KeyPolicy, Policy

__all__ = ["Change", "Direction", "Witness", "compare", "is_looser"]


def compare(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Return every difference in what is allowed, key by key.

    What several keys share, the limits of a group, is told once.
    """
    changes: dict[tuple[str, str], Change] = {}
    for change in chain(_shared(old, new), _witnessed(old, new)):
        known = changes.setdefault((change.path, change.description), change)
        if known.witness is None:  # another key of the group may have one
            changes[change.path, change.description] = change
    return tuple(changes.values())


def is_looser(changes: Iterable[Change]) -> bool:
    """Whether something may be allowed that was not."""
    return any(change.direction is Direction.LOOSER for change in changes)


def _shared(old: Policy, new: Policy) -> Iterator[Change]:
    for change in chain(meanings(old, new), markets(old.markets, new.markets)):
        if change.direction is Direction.LOOSER:
            yield replace(change, witness=witness.find_shared(old, new, change.path))
        else:
            yield change


def _witnessed(old: Policy, new: Policy) -> Iterator[Change]:
    for name in sorted(old.keys.keys() | new.keys.keys()):
        for change in _key(name, old.keys.get(name), new.keys.get(name)):
            if change.direction is Direction.LOOSER:
                yield replace(change, witness=witness.find(old, new, name, change.path))
            else:
                yield change


def _key(name: str, old: KeyPolicy | None, new: KeyPolicy | None) -> Iterator[Change]:
    path = f"keys.{name}"
    if old is None:
        yield Change(path, Direction.LOOSER, "is a new key")
    elif new is None:
        yield Change(path, Direction.TIGHTER, "is removed")
    else:
        yield from _settings(path, old, new)
        yield from grants(old, new)
        yield from limits(old, new)


def _settings(path: str, old: KeyPolicy, new: KeyPolicy) -> Iterator[Change]:
    for field in ("algorithm", "version"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            text = f"changes from {before} to {after}: another key signs"
            yield Change(f"{path}.{field}", Direction.LOOSER, text)
    if old.durable_intent != new.durable_intent:
        direction = Direction.TIGHTER if new.durable_intent else Direction.LOOSER
        text = f"is now {str(new.durable_intent).lower()}"
        yield Change(f"{path}.durable_intent", direction, text)
    yield from listed(f"{path}.payloads", old.formats, new.formats)
    yield from listed(f"{path}.validators", old.validators, new.validators)
    yield from _groups(path, old.groups, new.groups)


def _groups(path: str, old: AbstractSet[str], new: AbstractSet[str]) -> Iterator[Change]:
    """A group can be frozen as a whole: a key that leaves it is no longer stopped with it."""
    if left := old - new:
        text = f"leaves the group {', '.join(sorted(left))}"
        yield Change(f"{path}.groups", Direction.LOOSER, text)
    if joined := new - old:
        text = f"joins the group {', '.join(sorted(joined))}"
        yield Change(f"{path}.groups", Direction.TIGHTER, text)
