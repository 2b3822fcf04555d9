"""Rolling windows: never over the limit in any interval, and given back in time."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Used
from policy.windows import EXACT, Bucket, Window, covers

SPANS = st.sampled_from([1000, 5000, 60_000, 86_400_000])
LIMIT = 100


@st.composite
def streams(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """A span, and charges at times that stand still, jump and run backwards."""
    span = draw(SPANS)
    step = st.one_of(
        st.integers(0, 3),
        st.integers(0, span // 500),
        st.integers(0, 2 * span),
        st.integers(-2 * max(1, span // 1024), 2).map(lambda offset: span + offset),
        st.integers(-2 * span, -1),
    )
    steps = draw(st.lists(st.tuples(step, st.integers(0, LIMIT)), max_size=60))
    now, events = 10 * span, []
    for advance, amount in steps:
        now = max(0, now + advance)
        events.append((now, amount))
    return span, events


@pytest.mark.parametrize("exact", [0, 3, EXACT])
@given(stream=streams())
def test_no_interval_ever_holds_more_than_the_limit(
    exact: int, stream: tuple[int, list[tuple[int, int]]]
) -> None:
    """Against a plain list of events: never over, and back one span later.

    Where charges share buckets, later by less than the width of one.
    """
    span, events = stream
    window, charged, newest = Window(span, exact), list[tuple[int, int]](), 0
    late = 0 if len(events) <= exact else max(1, span // 1024) - 1
    for now, amount in events:
        newest = max(newest, now)
        window.roll(now)
        used = window.used(now).total
        assert sum(a for t, a in charged if t > newest - span) <= used
        assert used <= sum(a for t, a in charged if t > newest - span - late)
        if used + amount <= LIMIT:
            window.charge(now, amount)
            charged.append((newest, amount))
    for start, _ in charged:
        assert sum(a for t, a in charged if start <= t < start + span) <= LIMIT
        newest = max(newest, start + span)
        used = window.used(newest).total
        assert sum(a for t, a in charged if t > newest - span) <= used
        assert used <= sum(a for t, a in charged if t > newest - span - late)


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


@given(streams())
def test_stored_buckets_give_the_same_window_again(
    stream: tuple[int, list[tuple[int, int]]],
) -> None:
    """Writing each changed bucket, deleting each expired one and loading loses nothing."""
    span, events = stream
    window, stored = Window(span), dict[int, Bucket]()
    for now, amount in events:
        for bucket in window.roll(now):
            del stored[bucket.first_ms]
        bucket = window.charge(now, amount)
        stored[bucket.first_ms] = bucket
        again = Window(span)
        again.load(reversed(stored.values()))
        assert again.used(now) == window.used(now)


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
    assert window.used(102 + 10_240) == Used(2, 2)
    assert window.refund(102, 1) == Bucket(102, 103, 1, 1)


def test_a_bucket_stays_until_its_youngest_charge_is_one_span_old() -> None:
    """An older charge in it counts a little longer, never the younger one shorter."""
    window = Window(1024 * 10, exact=0)
    window.charge(100, 1)
    bucket = window.charge(109, 2)
    assert window.used(109 + 10_239) == Used(3, 2)
    assert window.roll(109 + 10_239) == []
    assert window.used(109 + 10_240) == Used(0, 0)
    assert window.roll(109 + 10_240) == [bucket]


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


@pytest.mark.parametrize("span_ms", [1, 1000, 1024, 10_000_000])
def test_a_window_covers_one_that_is_shorter_by_a_bucket(span_ms: int) -> None:
    """A little longer is not enough: the shorter one may keep a charge for a bucket more."""
    bucket = max(1, span_ms // 1024)
    assert covers(span_ms, span_ms)
    assert covers(span_ms + bucket, span_ms)
    assert covers(span_ms + bucket - 1, span_ms) is (bucket == 1)
    assert not covers(span_ms - 1, span_ms)
