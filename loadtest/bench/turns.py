"""Measurements that take short turns: what slows the machine for a while slows them all alike.

It is for loads that cost about the same: what a signer does later, such as publishing its log,
is done in the next one's turn.
"""

from collections.abc import Callable, Iterator, Mapping

from loadtest.bench.sample import NOTHING, Sample

TURNS = 6  # of each: even, so that each goes as often before the others as after them

Measure = Callable[[float], Sample]
"""Measures something for so many seconds."""


def in_turns(measures: Mapping[str, Measure], seconds: float) -> Iterator[tuple[str, Sample]]:
    """Measure each for so many seconds in all, and every second turn the other way round."""
    found, order = dict.fromkeys(measures, NOTHING), [*measures]
    for _ in range(TURNS):
        for name in order:
            found[name] += measures[name](seconds / TURNS)
        order.reverse()
    yield from found.items()
