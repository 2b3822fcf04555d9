"""Opening hours: is an instant inside them, on the wall clock of a place.

An instant always has exactly one local time, so the hours need no care at the
two daylight-saving changes: the hour that is skipped never comes, the one that
is repeated counts both times. The zones come from the pinned ``tzdata``
package and not from the host, so that every replica decides alike.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60  # minutes
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_END_OF_DAY = "24:00"


@dataclass(frozen=True, slots=True)
class Hours:
    """Days of the week (0 is Monday) and minutes of the day, the end excluded.

    An end that is not after the start is on the next day. On the dates in
    ``closed`` it is closed from midnight to midnight, whatever began the day before.
    """

    zone: tzinfo
    days: frozenset[int]
    from_minute: int
    to_minute: int
    closed: frozenset[date] = frozenset()

    def contains(self, now_ms: int) -> bool:
        """Whether the instant, in milliseconds since the epoch, is inside."""
        local = datetime.fromtimestamp(now_ms // 1000, self.zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.from_minute < self.to_minute:
            inside = self.from_minute <= minute < self.to_minute and day in self.days
        elif minute >= self.from_minute:
            inside = day in self.days
        else:
            inside = minute < self.to_minute and (day - 1) % 7 in self.days
        return inside and local.date() not in self.closed


@lru_cache(maxsize=256)
def minutes_of(hours: Hours) -> frozenset[int]:
    """Return every minute inside, as minutes of the week from Monday 00:00, closed dates aside."""
    end = hours.to_minute + (DAY if hours.to_minute <= hours.from_minute else 0)
    return frozenset(
        (day * DAY + minute) % (7 * DAY)
        for day in hours.days
        for minute in range(hours.from_minute, end)
    )


def parse_date(text: str) -> date:
    """Return the date of ``2026-12-25``.

    Raises:
        ValueError: it is not a date, or in another spelling.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise ValueError(f'{text!a} is not a date; write it like "2026-12-25"')
    return found


@cache
def parse_zone(name: str) -> ZoneInfo:
    """Return the IANA time zone.

    Raises:
        ValueError: there is no such zone.
    """
    package = resources.files("tzdata")
    if name not in package.joinpath("zones").read_text(encoding="ascii").split():
        raise ValueError(f'{name!r} is not an IANA time zone; write it like "Europe/London"')
    with package.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def parse_days(text: str) -> frozenset[int]:
    """Return the days of ``mon-fri``, ``mon,wed`` or ``mon-wed,sat``; 0 is Monday.

    Raises:
        ValueError: an unknown or repeated day, or a range that runs backwards.
    """
    days = [day for part in text.split(",") for day in _range(part)]
    if len(days) != len(set(days)):
        raise ValueError(f"{text!r} names a day twice")
    return frozenset(days)


def _range(part: str) -> range:
    first, dash, last = part.partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise ValueError(f'{part!r} is not a day; write days like "mon-fri" or "mon,wed"')
    start = DAYS.index(first)
    stop = DAYS.index(last) if dash else start
    if dash and stop <= start:
        raise ValueError(f'{part!r} runs backwards; split it like "fri-sun,mon"')
    return range(start, stop + 1)


def parse_minute(text: str, *, end: bool = False) -> int:
    """Return the minute of the day of ``HH:MM``; ``end`` allows 24:00 as well.

    Raises:
        ValueError: it is not a time of the day.
    """
    if end and text == _END_OF_DAY:
        return 24 * 60
    match = _CLOCK.fullmatch(text)
    if not match:
        raise ValueError(f'{text!r} is not a time of the day; write it like "08:00"')
    return int(match[1]) * 60 + int(match[2])
