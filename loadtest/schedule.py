"""When each call is due, fixed before the run: an open loop.

The schedule does not know how the server fares, so a stall can't slow the
arrivals down and hide itself: calls that were due in it are late, and count.
"""

from __future__ import annotations  # array[float] is for type checkers only

import random
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, count, pairwise, repeat

from loadtest.profile import Phase, Profile


def arrivals(profile: Profile) -> array[float]:
    """Return the seconds from the start at which each call of all workers is due.

    A Poisson process of a changing rate is one of rate 1 on a stretched time
    axis: the expected number of arrivals up to then. So is the uniform one.
    """
    due: array[float] = array("d")
    ends = list(accumulate(map(_expected, profile.phases)))
    starts = list(accumulate((phase.seconds for phase in profile.phases), initial=0.0))
    place = 0
    for expected in _unit_arrivals(profile):
        while place < len(ends) and expected >= ends[place]:
            place += 1
        if place == len(ends):
            break
        before = ends[place - 1] if place else 0.0
        due.append(starts[place] + _time_of(profile.phases[place], expected - before))
    return due


def _unit_arrivals(profile: Profile) -> Iterator[float]:
    if profile.arrivals == "uniform":
        return (number + 0.5 for number in count())
    rng = _rng(profile, "arrivals")
    return accumulate(rng.expovariate(1.0) for _ in repeat(None))


def _expected(phase: Phase) -> float:
    return phase.seconds * (phase.rate + phase.end_rate) / 2


def _time_of(phase: Phase, expected: float) -> float:
    """Solve rate * t + slope / 2 * t^2 = expected, in the form that is stable for no slope."""
    slope = (phase.end_rate - phase.rate) / phase.seconds
    root: float = max(phase.rate**2 + 2 * slope * expected, 0.0) ** 0.5
    return 2 * expected / (phase.rate + root)


def mix(profile: Profile, number: int) -> list[int]:
    """Return which call each of ``number`` arrivals makes, by the calls' weights."""
    weights = [call.weight for call in profile.calls]
    return _rng(profile, "mix").choices(range(len(weights)), weights, k=number)


def phase_numbers(phases: Sequence[Phase], due: Sequence[float]) -> list[int]:
    """Return the phase of each due time; the times ascend."""
    ends = list(accumulate(phase.seconds for phase in phases))
    numbers, place = [], 0
    for moment in due:
        while place < len(ends) - 1 and moment >= ends[place]:
            place += 1
        numbers.append(place)
    return numbers


def measured_spans(phases: Sequence[Phase]) -> list[tuple[float, float]]:
    """Return when the measured phases start and end, in seconds from the start."""
    bounds = pairwise(accumulate((phase.seconds for phase in phases), initial=0.0))
    return [span for phase, span in zip(phases, bounds, strict=True) if phase.measured]


def _rng(profile: Profile, purpose: str) -> random.Random:
    return random.Random(f"{profile.seed}/{purpose}")  # noqa: S311 - to be repeated, not secret
