"""Which measurements of a benchmark count, and in what order they are taken."""

import os
from functools import partial

import pytest

from loadtest.bench.calm import Calm, Timed, calmest
from loadtest.bench.sample import Sample
from loadtest.bench.turns import DRAWN, TURNS, in_turns


def test_those_with_the_fastest_loops_count() -> None:
    """Whatever came out of them."""
    paces = (1.5, 1.0, 1.2, 1.9, 1.1, 1.3)
    found = [Timed(10.0 - pace, pace) for pace in paces]
    assert [each.pace for each in calmest(found, 2)] == [1.0, 1.1]


def test_the_loop_goes_around_each_measurement() -> None:
    """It runs before and after, and leaves the process on the cores that it had."""
    cores, calm = os.sched_getaffinity(0), Calm()
    found = calm.timed(lambda: "measured")
    assert os.sched_getaffinity(0) == cores
    assert found.value == "measured"
    assert 0 < calm.best <= found.pace < 1


def test_the_slower_loop_counts() -> None:
    """A neighbour may come before the end, or leave after the begin."""
    paces = iter((1.0, 2.0, 3.0, 1.0))
    calm = Calm(lambda: next(paces))
    assert [calm.timed(lambda: 0).pace for _ in range(2)] == [2.0, 3.0]
    assert calm.best == 1.0


@pytest.mark.parametrize(
    ("one", "other", "taken"),
    [
        ("..", "..", 2),
        ("#.#.", "....", 4),
        ("....", "#.#.", 4),  # both must have been left alone
        ("######", ".####.", 6),  # not for ever
    ],
)
def test_measurements_go_on_until_enough_of_each_were_left_alone(
    one: str, other: str, taken: int
) -> None:
    """Dots are turns without a neighbour, two of each are wanted, and at most six taken."""
    turns = iter(zip(one, other, strict=True))
    calm = Calm()
    calm.best = 1.0

    def take() -> dict[str, Timed[int]]:
        return {
            name: Timed(0, 1.0 if turn == "." else 2.0)
            for name, turn in zip(("one", "other"), next(turns), strict=True)
        }

    found = calm.enough(take, number=2, most=6)
    assert [len(each) for each in found.values()] == [taken, taken]


def test_what_becomes_slower_with_time_does_so_for_all_measurements() -> None:
    """Those that cost the same come out the same, though each turn costs more than the last."""
    turns: list[int] = []

    def measure(number: int, seconds: float) -> Sample:
        turns.append(number)
        return Sample(number, seconds, float(len(turns)))

    measures = {str(number): partial(measure, number) for number in (1, 10, 500)}
    found = dict(in_turns(measures, 3.0, Calm(lambda: 1.0)))
    assert turns == [1, 10, 500, 500, 10, 1] * (TURNS // 2)
    assert {name: sample.count for name, sample in found.items()} == {
        name: int(name) * TURNS for name in measures
    }
    assert len({sample.cpu_seconds for sample in found.values()}) == 1
    assert [sample.seconds for sample in found.values()] == pytest.approx([3.0] * 3)


def test_turns_with_a_neighbour_are_made_up_for() -> None:
    """There and back alike; where he stays, as much counts as otherwise."""
    leaves = 2 * 4 * 2  # after four turns each way, of two loads
    times: list[float] = []

    def measure(seconds: float) -> Sample:
        times.append(seconds)
        return Sample(1, seconds, 1.0 if len(times) > leaves else 100.0)

    measures = {"one": measure, "other": measure}
    calm = Calm(lambda: 1.0 if len(times) >= leaves else 2.0)
    calm.best = 1.0
    found = dict(in_turns(measures, 3.0, calm))
    assert len(times) == leaves + TURNS * len(measures)
    assert {sample.cpu_seconds for sample in found.values()} == {TURNS}
    times.clear()
    found = dict(in_turns(measures, 3.0, Calm(lambda: 2.0 if times else 1.0)))
    assert len(times) == TURNS * DRAWN * len(measures)
    assert {sample.count for sample in found.values()} == {TURNS}
