"""Compares two root documents: who may act, and how many it takes.

Every change of a root document takes its own, larger quorum, whatever its direction.
"""

from collections.abc import Iterator

from policy.compare.change import Change, Direction, listed
from policy.root import Root

_NONE = frozenset[str]()


def compare_roots(old: Root | None, new: Root) -> tuple[Change, ...]:
    """Return every difference; without an old document everybody is added."""
    return tuple(_changes(old, new))


def _changes(old: Root | None, new: Root) -> Iterator[Change]:
    yield from listed("officers", old.officers if old else _NONE, new.officers)
    yield from listed("proposers", old.proposers if old else _NONE, new.proposers)
    if old is None:
        return
    yield from _number("quorum", old.quorum, new.quorum, "")
    yield from _number("root_quorum", old.root_quorum, new.root_quorum, "")
    yield from _number("waiting_time", old.waiting_ms, new.waiting_ms, " ms")
    yield from _number("proposal_life", -old.proposal_life_ms, -new.proposal_life_ms, " ms")
    yield from _number("hold_life", -old.hold_life_ms, -new.hold_life_ms, " ms")


def _number(path: str, old: int, new: int, unit: str) -> Iterator[Change]:
    """Compare two numbers of which the smaller is the looser; a life is given negated."""
    if old != new:
        direction = Direction.LOOSER if new < old else Direction.TIGHTER
        yield Change(path, direction, f"changes from {abs(old)}{unit} to {abs(new)}{unit}")
