"""The measured processes: one on all cores, and one on each core.

The latter is how the supervisor starts the signing processes: threads that wake each other
across cores cost more than a fast signature.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from loadtest.bench.remote import Remote
from loadtest.pool.side import Place, open_side
from policy.algorithms import Algorithm

Say = Callable[[str], None]

DEPLOYED: Final = "a process a core"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, and seconds of each measurement."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Sides:
    """The processes; all have the same token open."""

    whole: Remote[Any]
    each: tuple[Remote[Any], ...]

    def by_name(self, name: str) -> tuple[Remote[Any], ...]:
        """Return those that a figure is about."""
        named = {
            "one process": (self.whole,),
            "one core": self.each[:1],
            DEPLOYED: self.each,
        }
        return named[name]


@contextmanager
def opened(place: Place) -> Iterator[Sides]:
    """Start them, one after the other."""
    with ExitStack() as stack:

        def start(cores: frozenset[int]) -> Remote[Any]:
            side = stack.enter_context(Remote[Any](open_side, replace(place, cores=cores)))
            side.call("begin")
            return side

        yield Sides(start(place.cores), tuple(start(frozenset({c})) for c in sorted(place.cores)))


def together(
    processes: tuple[Remote[Any], ...],
    algorithm: Algorithm,
    sessions: int,
    callers: int,
    seconds: float,
) -> float:
    """Let pools sign at the same time; returns signatures a second of all."""
    for process in processes:
        # Whoever opens its sessions later has the token for itself at the end.
        process.call("one", algorithm, sessions)
    for process in processes:
        process.send("pool", algorithm, sessions, callers, seconds)
    return float(sum(process.result().rate for process in processes))
