"""Opening hours: minute boundaries, days, and the two daylight-saving changes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policy.hours import Hours, minutes_of, parse_date, parse_days, parse_minute, parse_zone


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def _hours(tz: str, days: str, start: str, end: str) -> Hours:
    return Hours(parse_zone(tz), parse_days(days), parse_minute(start), parse_minute(end, end=True))


@pytest.mark.parametrize(
    ("utc", "inside"),
    [
        ("2026-11-23T07:59:59.999", False),
        ("2026-11-23T08:00:00", True),
        ("2026-11-23T17:59:59.999", True),
        ("2026-11-23T18:00:00", False),
        ("2026-11-27T17:59:59", True),  # a Friday
        ("2026-11-28T12:00:00", False),  # a Saturday
        ("2026-06-01T07:00:00", True),  # summer time: one hour ahead
        ("2026-06-01T17:00:00", False),
    ],
)
def test_the_start_is_inside_and_the_end_is_not(utc: str, inside: bool) -> None:  # noqa: FBT001 — a table
    """Office hours in London, to the millisecond, in winter and in summer."""
    assert _hours("Europe/London", "mon-fri", "08:00", "18:00").contains(_ms(utc)) is inside


@pytest.mark.parametrize(
    ("utc", "inside"),
    [
        ("2026-03-29T00:59:59", True),  # 00:59 GMT, the last minute before the gap
        ("2026-03-29T01:00:00", False),  # 02:00 BST: 01:00 to 01:59 never come
        ("2026-10-24T23:30:00", True),  # 00:30 BST
        ("2026-10-25T00:30:00", True),  # 01:30 BST
        ("2026-10-25T01:30:00", True),  # 01:30 GMT, the same wall time again
        ("2026-10-25T02:00:00", False),
    ],
)
def test_daylight_saving_follows_the_wall_clock(utc: str, inside: bool) -> None:  # noqa: FBT001 — a table
    """The skipped hour never comes; the repeated one counts both times."""
    assert _hours("Europe/London", "sun", "00:00", "02:00").contains(_ms(utc)) is inside


def test_the_day_is_the_one_of_the_place() -> None:
    """Monday morning in Tokyo is Sunday in UTC."""
    tokyo = _hours("Asia/Tokyo", "mon", "00:00", "24:00")
    assert tokyo.contains(_ms("2026-11-22T15:00:00"))
    assert not tokyo.contains(_ms("2026-11-22T14:59:59"))


@pytest.mark.parametrize("utc", ["2026-11-23T08:00:00", "2026-11-24T07:59:59"])
def test_an_end_at_the_start_is_a_day_later(utc: str) -> None:
    """From Monday at eight to eight: until Tuesday, minute by minute."""
    whole = _hours("UTC", "mon", "08:00", "08:00")
    assert whole.contains(_ms(utc))
    assert not whole.contains(_ms("2026-11-23T07:59:59"))
    assert not whole.contains(_ms("2026-11-24T08:00:00"))
    assert len(minutes_of(whole)) == 24 * 60


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", {0}),
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("mon,wed", {0, 2}),
        ("mon-tue,sat-sun", {0, 1, 5, 6}),
    ],
)
def test_days_and_ranges_of_days(text: str, days: set[int]) -> None:
    """Days are counted from Monday, and ranges include both ends."""
    assert parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a day"),
        ("Mon", "is not a day"),
        ("mon,", "is not a day"),
        ("mon -fri", "is not a day"),
        ("mon-", "is not a day"),
        ("mon-tue-wed", "is not a day"),
        ("fri-mon", "runs backwards"),
        ("mon-mon", "runs backwards"),
        ("mon-wed,tue", "names a day twice"),
    ],
)
def test_other_days_are_refused(text: str, message: str) -> None:
    """One spelling only, and each day once."""
    with pytest.raises(ValueError, match=message):
        parse_days(text)


@pytest.mark.parametrize(
    "text", ["8:00", "08:60", "24:00", "25:00", "08:00 ", "0\uff18:00", "08:00:00"]
)
def test_other_times_are_refused(text: str) -> None:
    """Two digits, a colon and two digits; 24:00 is an end only."""
    with pytest.raises(ValueError, match="is not a time of the day"):
        parse_minute(text)


@pytest.mark.parametrize("name", ["", "London", "Europe/london", "../etc/passwd", "Europe"])
def test_other_zones_are_refused(name: str) -> None:
    """Only names in the IANA list, so that no path leads anywhere else."""
    with pytest.raises(ValueError, match="is not an IANA time zone"):
        parse_zone(name)


@pytest.mark.parametrize(
    ("utc", "inside"),
    [
        ("2026-11-23T21:59:59", False),
        ("2026-11-23T22:00:00", True),
        ("2026-11-24T05:59:59", True),  # the night of Monday
        ("2026-11-24T06:00:00", False),
        ("2026-11-24T22:00:00", False),  # Tuesday has no night
        ("2026-11-23T05:00:00", False),  # nor had Sunday
        ("2026-11-30T22:00:00", False),  # closed
        ("2026-12-01T01:00:00", True),  # the rest of a night, on a date that is not
    ],
)
def test_a_night_belongs_to_the_day_it_begins(utc: str, inside: bool) -> None:  # noqa: FBT001 — a table
    """Past midnight it goes on; a closed date is closed from midnight to midnight."""
    night = _hours("UTC", "mon", "22:00", "06:00")
    closed = replace(night, closed=frozenset((parse_date("2026-11-30"),)))
    assert closed.contains(_ms(utc)) is inside


def test_the_week_is_round() -> None:
    """The night of Sunday ends on Monday."""
    night = minutes_of(_hours("UTC", "sun", "23:00", "01:00"))
    assert night == {*range(60), *range(7 * 1440 - 60, 7 * 1440)}


@pytest.mark.parametrize(
    ("days", "start", "end"),
    [("sun", "23:00", "01:00"), ("mon,wed", "00:00", "24:00"), ("fri-sun", "08:30", "08:00")],
)
def test_minutes_of_the_week_are_those_that_are_inside(days: str, start: str, end: str) -> None:
    """Comparing policies looks at the minutes, deciding at the instant: they agree all week."""
    hours = _hours("UTC", days, start, end)
    monday = _ms("2026-11-23T00:00:00")
    inside = {minute for minute in range(7 * 1440) if hours.contains(monday + minute * 60_000)}
    assert minutes_of(hours) == inside


def test_a_time_of_the_day_is_its_minutes() -> None:
    """Hours and minutes both count; 24:00 is a time only where something ends."""
    assert (parse_minute("08:30"), parse_minute("00:05"), parse_minute("23:59")) == (510, 5, 1439)
    assert parse_minute("24:00", end=True) == 1440
    with pytest.raises(ValueError, match="not a time of the day"):
        parse_minute("24:00")
