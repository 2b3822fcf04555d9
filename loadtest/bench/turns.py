"""Measurements that take short turns: what slows the machine for a while slows them all alike.

It is for loads that cost about the same: what a signer does later, such as publishing its log,
is done in the next one's turn. Each goes as often before the others as after them.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from loadtest.bench.calm import Calm, Timed, calmest
from loadtest.bench.sample import NOTHING, Sample

TURNS = 6  # of each that count: half of them there, half of them back
DRAWN = 3  # times as many at most

Measure = Callable[[float], Sample]
"""Measures something for so many seconds."""


def in_turns(
    measures: Mapping[str, Measure], seconds: float, calm: Calm
) -> Iterator[tuple[str, Sample]]:
    """Measure each for so many seconds that count, and every second turn the other way round.

    It goes on until the machine was left alone often enough both there and back; where that
    does not come, those turns count during which it was most so.
    """
    there, half = [*measures], TURNS // 2

    def there_and_back() -> dict[str, Timed[dict[str, Sample]]]:
        return {
            "there": _one_way(measures, there, seconds / TURNS, calm),
            "back": _one_way(measures, there[::-1], seconds / TURNS, calm),
        }

    taken = calm.enough(there_and_back, half, half * DRAWN)
    found = dict.fromkeys(measures, NOTHING)
    for turn in (turn for each in taken.values() for turn in calmest(each, half)):
        for name, sample in turn.value.items():
            found[name] += sample
    yield from found.items()


def _one_way(
    measures: Mapping[str, Measure], names: list[str], seconds: float, calm: Calm
) -> Timed[dict[str, Sample]]:
    each = {name: calm.timed(partial(measures[name], seconds)) for name in names}
    samples = {name: turn.value for name, turn in each.items()}
    return Timed(samples, max(turn.pace for turn in each.values()))
