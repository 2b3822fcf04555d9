"""The waiting line: first in, first out, two classes, bounds, nobody starves."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.hsm.line import BULK_TURN, Line, Priority

URGENT, BULK = Priority


def _drained(line: Line[str]) -> list[str]:
    items = []
    while (item := line.take()) is not None:
        items.append(item)
    return items


def test_order_within_a_class() -> None:
    """In each class the first who came is the first who is served."""
    for priority in Priority:
        line: Line[str] = Line(3)
        for item in "abc":
            assert line.add(item, priority)
        assert _drained(line) == ["a", "b", "c"]


def test_orders_go_first() -> None:
    """An urgent request overtakes bulk ones that came before it."""
    line: Line[str] = Line(10)
    line.add("bulk", BULK)
    line.add("urgent", URGENT)
    assert line.ahead(URGENT) == 1
    assert line.ahead(BULK) == 2
    assert _drained(line) == ["urgent", "bulk"]


def test_nobody_starves() -> None:
    """However many urgent requests come, a bulk one waits for no more than seven of them."""
    line: Line[str] = Line(10)
    line.add("bulk", BULK)
    served = []
    for number in range(2 * BULK_TURN):
        line.add(f"urgent {number}", URGENT)
        served.append(line.take())
    assert served.index("bulk") < BULK_TURN


def test_each_class_has_its_own_bound() -> None:
    """A class that is full refuses, and leaves the other's places alone."""
    line: Line[str] = Line(2)
    assert [line.add(item, BULK) for item in "abc"] == [True, True, False]
    assert [line.add(item, URGENT) for item in "xyz"] == [True, True, False]
    assert len(line) == 4


def test_put_back_goes_before_all() -> None:
    """What was taken and put back is next, even when its class is full."""
    line: Line[str] = Line(1)
    line.add("a", URGENT)
    line.put_back("again")
    assert _drained(line) == ["again", "a"]


@pytest.mark.parametrize("priority", Priority)
def test_remove(priority: Priority) -> None:
    """What waits can be taken out of its place, once."""
    line: Line[str] = Line(5)
    for item in "abc":
        line.add(item, priority)
    assert [line.remove("b"), line.remove("b")] == [True, False]
    assert line.empty() == ["a", "c"]
    assert len(line) == 0


_STEPS: dict[str, Callable[[Line[int], int], object]] = {
    "urgent": lambda line, item: line.add(item, URGENT),
    "bulk": lambda line, item: line.add(item, BULK),
    "take": lambda line, _item: line.take(),
}


@given(st.lists(st.sampled_from(sorted(_STEPS)), max_size=60))
def test_nothing_is_lost_or_doubled(steps: list[str]) -> None:
    """Every item that was let in comes out once."""
    line: Line[int] = Line(6)
    let_in, out = set(), []
    for number, step in enumerate(steps):
        answer = _STEPS[step](line, number)
        if step == "take":
            out.append(answer)
        elif answer:
            let_in.add(number)
    out = [item for item in out if item is not None] + line.empty()
    assert len(out) == len(let_in)
    assert set(out) == let_in
