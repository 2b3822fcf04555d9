"""The schedule: the asked rate, the asked spread, and nothing that depends on the server."""

import math
import statistics
from itertools import pairwise

import pytest

from loadtest import schedule
from loadtest.profile import Phase, Profile
from tests.loadtest.samples import ORDER, profile_of


def _poisson(*phases: Phase, seed: int = 1) -> Profile:
    update = {"arrivals": "poisson", "phases": list(phases), "seed": seed}
    return profile_of().model_copy(update=update)


def test_poisson_gaps_are_exponential() -> None:
    """Poisson arrivals have the asked mean gap, and gaps that deviate by as much as it."""
    due = schedule.arrivals(_poisson(Phase(name="steady", seconds=100, rate=200)))
    gaps = [after - before for before, after in pairwise(due)]
    assert len(due) == pytest.approx(20_000, abs=4 * math.sqrt(20_000))
    assert statistics.fmean(gaps) == pytest.approx(1 / 200, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(1 / 200, rel=0.05)
    assert sum(gap > 1 / 200 for gap in gaps) / len(gaps) == pytest.approx(1 / math.e, rel=0.05)


def test_uniform_arrivals_keep_their_distance() -> None:
    """Uniform arrivals are equally far apart, and as many as rate times seconds."""
    due = schedule.arrivals(profile_of(seconds=2, rate=100))
    assert len(due) == 200
    assert {round(after - before, 9) for before, after in pairwise(due)} == {0.01}


def test_a_ramp_has_the_area_under_its_line() -> None:
    """A ramp starts at one rate, ends at the other, and has their mean number of arrivals."""
    ramp = Phase(name="ramp", seconds=10, rate=10, to_rate=190)
    due = schedule.arrivals(profile_of().model_copy(update={"phases": [ramp]}))
    assert len(due) == 1000
    assert sum(moment < 1 for moment in due) == pytest.approx(19, abs=1)
    assert sum(moment >= 9 for moment in due) == pytest.approx(181, abs=1)


def test_phases_follow_each_other() -> None:
    """Each phase has its own rate, in its own time, and times never go back."""
    phases = [Phase(name="a", seconds=2, rate=50), Phase(name="b", seconds=1, rate=500)]
    due = schedule.arrivals(profile_of().model_copy(update={"phases": phases}))
    numbers = schedule.phase_numbers(phases, due)
    assert [numbers.count(place) for place in (0, 1)] == [100, 500]
    assert list(due) == sorted(due)
    assert max(due) < 3


def test_the_same_seed_gives_the_same_run() -> None:
    """A schedule and its mix can be repeated; another seed gives another one."""
    phase = Phase(name="steady", seconds=1, rate=100)
    one, same, other = (schedule.arrivals(_poisson(phase, seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_the_mix_follows_the_weights() -> None:
    """Calls come as often as their weights say."""
    rare = ORDER.model_copy(update={"name": "rare", "weight": 1.0})
    often = ORDER.model_copy(update={"weight": 9.0})
    mix = schedule.mix(profile_of(often, rare), 10_000)
    assert mix.count(1) == pytest.approx(1000, abs=4 * math.sqrt(900))


def test_only_measured_phases_count() -> None:
    """The measured spans leave the warm-up out."""
    phases = [
        Phase(name="warm-up", seconds=2, rate=1, measured=False),
        Phase(name="steady", seconds=3, rate=1),
    ]
    assert schedule.measured_spans(phases) == [(2.0, 5.0)]
