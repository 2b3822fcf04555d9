"""The number of sessions is found for any token, and is not moved by what says nothing of it."""

from collections.abc import Callable
from random import Random

import pytest

from signer.hsm.sizing import BEND, CALLS, REST, Call, SessionRange, Sizing

WIDE = SessionRange(1, 64)
Model = Callable[[int], float]


def appliance(engines: int, service_ms: float, network_ms: float) -> Model:
    """Return how long a call takes, in seconds, with so many always under way."""

    def seconds(sessions: int) -> float:
        alone = network_ms + service_ms
        return max(alone, sessions * service_ms / engines) / 1000

    return seconds


def calls(seconds: float, kind: str = "key", number: int = CALLS) -> list[Call]:
    """Return calls that all took the same time."""
    return [Call(kind, seconds)] * number


def run(sizing: Sizing, model: Model, *, size: int = 1, turns: int = 150) -> list[int]:
    """Let a token be sized under full load; returns the number after each measurement."""
    sizes = []
    for _ in range(turns):
        size = sizing.next(size, calls(model(size)), 1.0)
        sizes.append(size)
    return sizes


@pytest.mark.parametrize(
    ("engines", "service_ms", "network_ms"),
    [(1, 5, 0), (1, 0.06, 0), (2, 2, 0.4), (4, 4, 2), (8, 0.8, 0.4), (16, 1, 1), (30, 1, 0.2)],
)
def test_the_number_that_vendors_advise(engines: int, service_ms: float, network_ms: float) -> None:
    """It ends at engines x (1 + network / engine time) and a quarter more, and stays."""
    sizes = run(Sizing(WIDE), appliance(engines, service_ms, network_ms))
    advised = engines * (1 + network_ms / service_ms) * BEND
    assert advised - 1 <= sizes[-1] <= advised + 1e-9
    assert len(set(sizes[-30:])) == 1
    assert max(sizes) <= advised + 1


def test_chance_changes_little() -> None:
    """With times that vary as much as they are long, it is still about right."""
    model, chance = appliance(8, 0.8, 0.4), Random(7)
    sizing, size = Sizing(WIDE), 1
    for _ in range(200):
        mean = model(size)
        varied = [Call("key", mean * chance.uniform(0.5, 1.5)) for _ in range(CALLS)]
        size = sizing.next(size, varied, 1.0)
    assert 10 <= size <= 18


def test_bounds() -> None:
    """It never leaves its bounds, whatever the token does."""
    assert max(run(Sizing(SessionRange(2, 5)), appliance(64, 1, 0), size=2)) == 5
    assert min(run(Sizing(SessionRange(3, 9)), appliance(1, 1, 0), size=3)) == 3


def test_no_more_than_the_token_gave() -> None:
    """After the token gave no more than so many, no more are asked for."""
    sizing = Sizing(WIDE)
    assert run(sizing, appliance(64, 1, 0), turns=8)[-1] == 5
    sizing.cap(5)
    assert set(run(sizing, appliance(64, 1, 0), size=5, turns=50)) == {5}


def test_without_demand_nothing_grows() -> None:
    """While requests find nobody in the line there are sessions enough."""
    sizing = Sizing(WIDE)
    for _ in range(50):
        assert sizing.next(4, calls(0.001), 0.1) == 4


def test_few_calls_are_added_up() -> None:
    """A slow token is measured over as many stretches as it takes."""
    sizing = Sizing(WIDE)
    parts = [sizing.next(1, calls(0.05, number=10), 1.0) for _ in range(4)]
    assert parts == [1, 1, 1, 2]


def test_a_mix_that_changes_is_no_bend() -> None:
    """Slow keys after fast ones are slow keys, not a slow token."""
    sizing = Sizing(WIDE)
    both = calls(0.001, "fast", CALLS // 2) + calls(0.02, "slow", CALLS // 2)
    size = sizing.next(1, both, 1.0)
    for _ in range(10):
        size = sizing.next(size, calls(0.02, "slow"), 1.0)
    assert size == 7


def test_one_bad_measurement_is_no_bend() -> None:
    """A single stretch of slow calls is not believed."""
    sizing = Sizing(WIDE)
    for _ in range(2):
        assert sizing.next(1, calls(0.001, number=CALLS // 2), 1.0) in {1, 2}
    assert sizing.next(2, calls(0.001), 1.0) == 2
    assert sizing.next(2, calls(0.009), 1.0) == 2
    assert sizing.next(2, calls(0.001), 1.0) == 3
    assert not sizing.settled


def test_it_tries_again_after_a_rest() -> None:
    """A token that has grown since is found out, in time."""
    sizing = Sizing(WIDE)
    small = run(sizing, appliance(2, 1, 0), turns=20)[-1]
    assert small == 2
    assert sizing.settled
    assert run(sizing, appliance(8, 1, 0), size=small, turns=REST + 40)[-1] == 10


def test_what_was_measured_while_the_number_changed_is_left_out() -> None:
    """Calls that began with another number of sessions say nothing."""
    sizing = Sizing(WIDE)
    assert sizing.next(1, calls(0.001), 1.0) == 2
    assert sizing.next(2, calls(0.009), 1.0) == 2
    assert sizing.next(2, calls(0.001), 1.0) == 3
