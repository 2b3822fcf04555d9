"""What a comparison says: changes, each with its direction, and what proves one."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from policy.model import Ask, Counter, Used

_T = TypeVar("_T")
_SHOWN = 10


class Direction(StrEnum):
    """What a change does to the set of requests that are allowed."""

    TIGHTER = "tighter"  # it only gets smaller
    LOOSER = "looser"  # it gets larger, or that could not be ruled out
    EQUAL = "equal"


@dataclass(frozen=True, slots=True)
class Witness:
    """A request that one policy allows and another denies, and the state it meets.

    ``at_ms`` is the time, ``spent`` what the windows hold (nothing where it names
    none), ``approved_by`` the SANs of those who approved the request. It serves as
    the engine's ``Usage``.
    """

    ask: Ask
    at_ms: int
    approved_by: frozenset[str] = frozenset()
    spent: Mapping[Counter, Used] = field(default_factory=dict)

    def used(self, counter: Counter) -> Used:
        """Return what the counter's window holds."""
        return self.spent.get(counter, Used(0, 0))


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, at a path in the document, in words for a reviewer.

    ``witness`` is what the new policy allows and the old one denies, checked with
    the engine; None where the change is not looser or none could be constructed.
    """

    path: str
    direction: Direction
    description: str
    witness: Witness | None = None


def listed(
    path: str,
    old: AbstractSet[_T],
    new: AbstractSet[_T],
    words: Mapping[object, str] = MappingProxyType({}),
) -> Iterator[Change]:
    """Compare two lists of what is allowed; ``words`` are for what needs another name."""
    if added := new - old:
        yield Change(path, Direction.LOOSER, f"adds {_names(added, words)}")
    if removed := old - new:
        yield Change(path, Direction.TIGHTER, f"removes {_names(removed, words)}")


def most(path: str, old: int, new: int, show: Callable[[int], str]) -> Iterator[Change]:
    """Compare two upper bounds."""
    if new > old:
        yield Change(path, Direction.LOOSER, f"rises from {show(old)} to {show(new)}")
    elif new < old:
        yield Change(path, Direction.TIGHTER, f"falls from {show(old)} to {show(new)}")


def _names(items: AbstractSet[object], words: Mapping[object, str]) -> str:
    names = sorted(words.get(item, str(item)) for item in items)
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest
