"""Rolling windows: never over the limit in any interval, and given back in time."""

from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.instants import Kept
from policy.model import Used
from policy.windows import EXACT, PAGE, Bucket, Window

SPANS = st.sampled_from([1000, 5000, 60_000, 86_400_000])
LIMIT = 100


class Event(NamedTuple):
    """A charge; what is given back before it, of what stands; and who takes it."""

    at_ms: int
    amount: int
    back: int | None
    place: int


@st.composite
def streams(draw: st.DrawFn) -> tuple[int, list[Event]]:
    """A span, and charges at times that stand still, jump and run backwards."""
    span = draw(SPANS)
    step = st.one_of(
        st.integers(0, 3),
        st.integers(0, span // 500),
        st.integers(0, 2 * span),
        st.integers(-2 * max(1, span // 1024), 2).map(lambda offset: span + offset),
        st.integers(-2 * span, -1),
    )
    back = st.one_of(st.none(), st.none(), st.integers(0, 5))
    steps = draw(
        st.lists(st.tuples(step, st.integers(0, LIMIT), back, st.integers(0, 2)), max_size=60)
    )
    now, events = 10 * span, []
    for advance, amount, given_back, place in steps:
        now = max(0, now + advance)
        events.append(Event(now, amount, given_back, place))
    return span, events


class Shared:
    """One window in several places that tell each other of their buckets, as processes do."""

    def __init__(self, span: int, exact: int, places: int) -> None:
        self._stored: dict[int, Bucket] = {}
        self._windows = [Window(span, exact, kept) for kept in [Kept()] for _ in range(places)]
        self._told: list[list[Bucket]] = [[] for _ in range(places)]

    def at(self, place: int, now: int) -> Window:
        """Return the window in a place, which has heard of everything."""
        window = self._windows[place]
        for bucket in self._told[place]:
            window.put(bucket)
        self._told[place].clear()
        for expired in window.roll(now):
            self._stored.pop(expired.first_ms, None)
        return window

    def changed(self, place: int, bucket: Bucket | None) -> None:
        """Store a bucket; all other places are told of it."""
        if bucket is not None:
            self._stored[bucket.first_ms] = bucket
            for other, told in enumerate(self._told):
                if other != place:
                    told.append(bucket)

    def reload(self, place: int) -> None:
        """Forget a place's window and read it again."""
        self._told[place].clear()
        self._windows[place].load(reversed(self._stored.values()))


@pytest.mark.parametrize("exact", [0, 3, EXACT])
@pytest.mark.parametrize("places", [1, 3])
@given(stream=streams())
def test_no_interval_ever_holds_more_than_the_limit(
    exact: int, places: int, stream: tuple[int, list[Event]]
) -> None:
    """Against a plain list of events: never over, and back exactly one span later.

    So it is however many places the window is in, and when one of them starts again.
    """
    span, events = stream
    shared, charged, newest = Shared(span, exact, places), list[tuple[int, int]](), 0
    for now, amount, back, choice in events:
        place = choice % places
        newest = max(newest, now)
        if back == 0:
            shared.reload(place)
        window = shared.at(place, newest)
        if back is not None and back < len(charged):
            at, given = charged.pop(-1 - back)
            shared.changed(place, window.refund(at, given))
        assert window.used(now) == _held(charged, newest - span)
        if window.used(now).total + amount <= LIMIT:
            shared.changed(place, window.charge(now, amount))
            charged.append((newest, amount))
    for start, _ in charged:
        assert sum(a for t, a in charged if start <= t < start + span) <= LIMIT
        newest = max(newest, start + span)
        for place in range(places):
            assert shared.at(place, newest).used(newest) == _held(charged, newest - span)


def _held(charged: list[tuple[int, int]], after: int) -> Used:
    young = [amount for at, amount in charged if at > after]
    return Used(sum(young), len(young))


@pytest.mark.parametrize("exact", [0, EXACT])
def test_few_buckets_are_kept_however_busy_it_is(exact: int) -> None:
    """As many as there may be with one charge, and one for each bucket's width in the span."""
    random, now = Random(exact), 0
    window = Window(1024 * 8, exact)
    for _ in range(10_000):
        now += random.randrange(4)
        window.roll(now)
        window.charge(now, 1)
        assert len(window.buckets) <= exact + 1025
    assert len(window.buckets) > 800


def test_a_single_charge_comes_back_exactly_one_span_later() -> None:
    """It counts in the last millisecond of its span, and not in the next one."""
    window = Window(86_400_000)
    window.charge(1000, 7)
    assert window.used(1000 + 86_399_999) == Used(7, 1)
    assert window.used(1000 + 86_400_000) == Used(0, 0)


def test_close_charges_share_a_bucket_and_far_ones_do_not() -> None:
    """A bucket is as wide as a thousandth of the span, so that few are kept."""
    window = Window(1024 * 10, exact=0)
    assert window.charge(100, 1) == Bucket(100, 100, 1, 1)
    assert window.charge(109, 2) == Bucket(100, 109, 3, 2)
    assert window.charge(110, 4, 0) == Bucket(110, 110, 4, 0)


def test_charges_of_a_quiet_window_each_leave_on_time() -> None:
    """Up to as many as are kept apart; only those of one instant share a bucket."""
    window = Window(1024 * 10, exact=3)
    for now in (100, 101, 101, 102, 103):
        window.charge(now, 1)
    assert [bucket[:2] for bucket in window.buckets] == [(100, 100), (101, 101), (102, 103)]
    assert window.used(100 + 10_240) == Used(4, 4)
    assert window.refund(102, 1) == Bucket(102, 103, 1, 1)
    assert window.used(101 + 10_240) == Used(1, 1)


def test_each_charge_of_a_shared_bucket_leaves_on_time() -> None:
    """One after the other; the bucket itself is gone with the youngest."""
    window = Window(1024 * 10, exact=0)
    window.charge(100, 1)
    window.charge(104, 2)
    window.charge(104, 4)
    bucket = window.charge(109, 8)
    held = [window.used(at + 10_240) for at in (99, 100, 103, 104, 108)]
    assert held == [Used(15, 4), Used(14, 3), Used(14, 3), Used(8, 1), Used(8, 1)]
    assert window.roll(108 + 10_240) == []
    assert window.roll(109 + 10_240) == [bucket]
    assert window.used(109 + 10_240) == Used(0, 0)
    assert list(window.instants()) == []


def test_a_refund_in_a_bucket_that_is_leaving() -> None:
    """What has left already is not given back, and the rest leaves at its time."""
    window = Window(1024 * 10, exact=0)
    for at in (100, 104, 106):
        window.charge(at, at)
    assert window.used(100 + 10_240) == Used(210, 2)
    assert window.refund(100, 100) is None
    assert window.refund(104, 104) == Bucket(100, 106, 206, 2)
    assert window.used(103 + 10_240) == Used(106, 1)
    assert window.used(104 + 10_240) == Used(106, 1)
    assert window.used(106 + 10_240) == Used(0, 0)


def test_a_bucket_of_more_instants_than_are_read_at_once() -> None:
    """They leave one by one all the same, in steps and at once."""
    for step in (1, PAGE, 2 * PAGE + 100):
        window, number = Window(1024 * 1024, exact=0), 2 * PAGE + 200
        for at in range(number):
            window.charge(at, 1)
        assert len(window.buckets) == 1
        for at in range(0, number, step):
            assert window.used(at + 1024 * 1024) == Used(number - 1 - at, number - 1 - at)


def test_what_is_known_of_no_instant_stays_with_its_bucket() -> None:
    """A bucket whose instants nobody kept is held until its youngest charge is old enough."""
    window = Window(1024 * 10, exact=0)
    window.load([Bucket(100, 103, 7, 3)])
    assert window.charge(105, 1) == Bucket(100, 105, 8, 4)
    assert window.used(104 + 10_240) == Used(8, 4)
    assert window.used(105 + 10_240) == Used(0, 0)


def test_a_loaded_window_goes_on_where_it_was() -> None:
    """Buckets may come in any order, and the clock does not fall behind them."""
    window = Window(1000)
    window.load([Bucket(5000, 5000, 2, 1), Bucket(4500, 4500, 1, 1)])
    assert window.charge(10, 4, 0) == Bucket(5000, 5000, 6, 1)
    assert window.used(5500) == Used(6, 1)
    assert window.roll(5500) == [Bucket(4500, 4500, 1, 1)]


def test_rolling_returns_what_expired_once() -> None:
    """Expired buckets are handed over to be deleted, oldest first."""
    window = Window(1000)
    first, second = window.charge(1, 1), window.charge(2, 2)
    window.charge(3, 4)
    assert window.roll(1002) == [first, second]
    assert window.roll(1002) == []
    assert window.used(1002) == Used(4, 1)


def test_reading_looks_ahead_of_what_was_rolled() -> None:
    """What has expired is not counted, rolled away or not."""
    window = Window(1000)
    window.charge(1, 1)
    window.charge(500, 2)
    assert window.used(1001) == Used(2, 1)
    assert len(window.roll(1001)) == 1


def test_a_clock_that_goes_back_frees_nothing() -> None:
    """An earlier time counts as the newest time seen."""
    window = Window(1000)
    window.roll(5000)
    assert window.charge(10, 3) == Bucket(5000, 5000, 3, 1)
    assert window.used(20) == Used(3, 1)
    assert window.roll(1010) == []


def test_a_refund_gives_back_what_its_bucket_holds() -> None:
    """Amount and requests go back where they were charged, and only there."""
    window = Window(1000)
    window.charge(100, 5)
    window.charge(200, 7)
    assert window.refund(100, 5) == Bucket(100, 100, 0, 0)
    assert window.used(200) == Used(7, 1)


def test_a_refund_of_what_has_left_gives_nothing_back() -> None:
    """A bucket that is gone no longer counts, so there is nothing to do."""
    window = Window(1000)
    window.charge(100, 5)
    window.roll(1100)
    assert window.refund(100, 5) is None


@pytest.mark.parametrize(("amount", "requests"), [(6, 1), (5, 2)])
def test_a_refund_beyond_the_bucket_is_a_bug(amount: int, requests: int) -> None:
    """A window never goes below what was really spent."""
    window = Window(1000)
    window.charge(100, 5)
    with pytest.raises(ValueError, match="exceeds"):
        window.refund(100, amount, requests)


def test_what_was_never_charged_is_not_given_back() -> None:
    """A refund of a time that has no charge changes nothing."""
    window = Window(1000)
    window.charge(100, 5)
    window.charge(300, 5)
    assert window.refund(200, 5) is None
    assert window.used(300).total == 10
