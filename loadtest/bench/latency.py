"""How long one call takes when there is no other: medians, side by side."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from loadtest.bench.calm import Calm, Timed, calmest
from loadtest.bench.ratios import ONE, Bench
from loadtest.bench.sample import Sample
from loadtest.bench.subjects import SUBJECTS, Subject
from loadtest.bench.verdict import Figure

BOUND = 2.0  # of the echo's, the token's and one sync of the disk together
DRAWN = 6  # turns at most for each that counts
PACE = "pace"
SECONDS = 0.1  # of the token's loop

Seconds = Sequence[float]
Times = dict[str, float]
"""Medians in seconds by ``SUBJECT/WHAT``, and of ``sync``.

``pace`` is how long the loop took around the worst of what they are medians of.
"""


class Round(NamedTuple):
    """Times of the measurements that count, and of all that were made."""

    calm: Times
    every: Times


def one_round(bench: Bench, repeats: int, calm: Calm) -> Round:
    """Measure everything, turn by turn, until the machine was left alone for so many of each.

    Where that does not come, those count during which it was most so.
    """

    def turn() -> dict[str, Timed[Seconds]]:
        return {name: calm.timed(measure) for name, measure in _turn(bench)}

    found = calm.enough(turn, repeats, repeats * DRAWN)
    counted = {name: calmest(each, repeats) for name, each in found.items()}
    return Round(_times(counted), _times(found))


def _turn(bench: Bench) -> Iterator[tuple[str, Callable[[], Seconds]]]:
    yield "sync", partial(bench.alone.call, "sync", bench.directory)
    for subject in SUBJECTS:
        yield f"{subject.name}/token", partial(_token, bench, subject)
        for method in ("echo", "unary"):
            load = bench.load_of(subject, method, ONE)
            yield f"{subject.name}/{method}", partial(bench.alone.call, "call", load)


def _token(bench: Bench, subject: Subject) -> list[float]:
    sample: Sample = bench.raw.call(subject, "sign", 1, SECONDS)
    return [sample.seconds / sample.count]


def _times(found: Mapping[str, Sequence[Timed[Seconds]]]) -> Times:
    medians = {
        name: statistics.median(seconds for measured in each for seconds in measured.value)
        for name, each in found.items()
    }
    return medians | {PACE: max(measured.pace for each in found.values() for measured in each)}


def figures(rounds: Sequence[Round]) -> list[Figure]:
    """Return the signer's medians over what they are made of at least."""
    found = []
    for subject in SUBJECTS:
        name = f"{subject.name}: latency alone over echo + token + sync"
        calm = tuple(_ratio(times.calm, subject) for times in rounds)
        every = tuple(_ratio(times.every, subject) for times in rounds)
        found.append(Figure(name, calm, BOUND, rising=False))
        found.append(Figure(f"{name}, whatever the neighbours did", every, None, rising=False))
    return found


def _ratio(times: Times, subject: Subject) -> float:
    parts = times[f"{subject.name}/echo"] + times[f"{subject.name}/token"] + times["sync"]
    return times[f"{subject.name}/unary"] / parts


def further(rounds: Sequence[Round], calm: Calm) -> dict[str, float]:
    """Return by name how slow the machine was at worst while it counted, and at all."""
    return {
        f"alone: slowest loop {when}, over the fastest": max(paces) / calm.best
        for when, paces in (
            ("that counts", [times.calm[PACE] for times in rounds]),
            ("of all", [times.every[PACE] for times in rounds]),
        )
    }
