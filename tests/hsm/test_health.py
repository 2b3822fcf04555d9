"""The states of sessions and slots, the record of a slot, and its growing pauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.hsm.health import (
    SESSIONS,
    SLOTS,
    Backoff,
    Record,
    SessionEvent,
    SessionState,
    SlotEvent,
    SlotState,
)


def test_every_session_state_can_be_left() -> None:
    """A session is in a dead end only when it is closed; BUSY and STUCK are nobody's own state."""
    left = {before for before, _ in SESSIONS}
    told_by_others = {SessionState.BUSY, SessionState.STUCK}
    assert left == set(SessionState) - {SessionState.CLOSED} - told_by_others
    assert told_by_others.isdisjoint(SESSIONS.values())


def test_a_session_that_failed_is_never_ready() -> None:
    """From every retired session the way to READY goes over opening a new one."""
    retired = {after for (_, event), after in SESSIONS.items() if event is SessionEvent.RETIRED}
    assert retired == {SessionState.PAUSED}
    to_ready = {event for (_, event), after in SESSIONS.items() if after is SessionState.READY}
    assert to_ready == {SessionEvent.OPENED}


def test_a_slot_knows_every_event() -> None:
    """Whatever happens while a slot goes up or down has a consequence, also late news."""
    known = {(state, event) for state in SlotState for event in SlotEvent}
    unheard_of = {(SlotState.REFUSED, event) for event in SlotEvent} - set(SLOTS)
    assert set(SLOTS) == known - unheard_of


def test_a_slot_comes_back_only_by_a_probe() -> None:
    """A slot that is down is up again only when a session opened and proved the keys."""
    up = {key for key, after in SLOTS.items() if after is SlotState.UP}
    assert {key for key in up if key[0] is not SlotState.UP} == {
        (SlotState.PROBING, SlotEvent.OPENED)
    }


def test_a_refused_pin_is_final() -> None:
    """Nothing leads out of REFUSED, so the PIN is not tried again."""
    out = {after for (state, _), after in SLOTS.items() if state is SlotState.REFUSED}
    assert out == {SlotState.REFUSED}


def test_a_failure_never_brings_a_slot_up() -> None:
    """No failure, in any state, makes a slot usable."""
    for (state, event), after in SLOTS.items():
        if event in (SlotEvent.FAILED, SlotEvent.NOT_OPENED, SlotEvent.PIN_REFUSED):
            assert after is not SlotState.UP or state is SlotState.UP


def test_record_trips_at_half() -> None:
    """Eight failures of the last sixteen operations trip it, seven do not."""
    record = Record()
    for _ in range(7):
        assert not record.failed()
        record.succeeded()
    assert record.failed()


def test_record_forgets() -> None:
    """Failures leave the record after sixteen more operations, and when it is cleared."""
    record = Record()
    for _ in range(7):
        record.failed()
    for _ in range(Record.LENGTH):
        record.succeeded()
    assert not any(record.failed() for _ in range(7))
    record.clear()
    assert not any(record.failed() for _ in range(7))


@given(st.lists(st.integers(0, 99), min_size=200, max_size=200))
def test_one_in_a_hundred_does_not_trip(draws: list[int]) -> None:
    """A few failures, spread out, leave the slot up."""
    record = Record()
    tripped = False
    for index, draw in enumerate(draws):
        if draw == 0 and index % 4 == 0:
            tripped |= record.failed()
        else:
            record.succeeded()
    assert not tripped


def test_pauses_grow_to_a_bound() -> None:
    """Each failed attempt doubles the pause, up to two seconds; a success starts anew."""
    backoff = Backoff()
    pauses = []
    for _ in range(40):
        backoff.failed(100.0, 1.0)
        pauses.append(backoff.pause(100.0))
    assert pauses[:4] == pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert pauses[-1] == pytest.approx(Backoff.LONGEST)
    backoff.succeeded()
    backoff.failed(100.0, 1.0)
    assert backoff.pause(100.0) == pytest.approx(Backoff.FIRST)


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 0.025), (0.5, 0.0375), (1.0, 0.05)])
def test_pauses_are_spread(chance: float, pause: float) -> None:
    """Chance takes up to half of a pause away, and time the rest."""
    backoff = Backoff()
    backoff.failed(10.0, chance)
    assert backoff.pause(10.0) == pytest.approx(pause)
    assert backoff.pause(10.02) == pytest.approx(pause - 0.02)
    assert backoff.pause(11.0) == 0.0
