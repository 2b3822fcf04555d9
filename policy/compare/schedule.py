"""Compares opening hours, minute by minute of the week on the wall clock of one zone."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby, product
from typing import NamedTuple

from policy.compare.change import Change, Direction
from policy.hours import DAYS, Hours
from policy.rules import Grant

DAY = 24 * 60
_MONDAYS = (datetime(2026, 1, 5), datetime(2026, 7, 6))  # noqa: DTZ001 - on a clock to be named


def in_force(at: str, old: Grant, new: Grant) -> Iterator[Change]:
    """Compare when two grants begin and end."""
    if old.not_before_ms != new.not_before_ms:
        earlier = new.not_before_ms < old.not_before_ms
        direction = Direction.LOOSER if earlier else Direction.TIGHTER
        text = f"changes from {_utc(old.not_before_ms)} to {_utc(new.not_before_ms)}"
        yield Change(f"{at}.not_before", direction, text)
    if old.expires_ms != new.expires_ms:
        later = old.expires_ms is not None and (
            new.expires_ms is None or new.expires_ms > old.expires_ms
        )
        direction = Direction.LOOSER if later else Direction.TIGHTER
        text = f"changes from {_utc(old.expires_ms)} to {_utc(new.expires_ms)}"
        yield Change(f"{at}.expires", direction, text)


def _utc(time_ms: int | None) -> str:
    if not time_ms:
        return "none"
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def opening(path: str, old: Hours | None, new: Hours | None) -> Iterator[Change]:
    """Compare when a grant is open; None is always."""
    match old, new:
        case None, Hours():
            yield Change(path, Direction.TIGHTER, f"is now only {spoken(new.minutes())}")
        case Hours(), None:
            yield Change(path, Direction.LOOSER, f"is now always; it was {spoken(old.minutes())}")
        case Hours(), Hours() if str(old.zone) != str(new.zone):
            text = f"changes from the clock of {old.zone} to that of {new.zone}"
            yield Change(path, Direction.LOOSER, text)
        case Hours(), Hours():
            yield from _minutes(path, old.minutes(), new.minutes())


def _minutes(path: str, old: AbstractSet[int], new: AbstractSet[int]) -> Iterator[Change]:
    if added := new - old:
        yield Change(path, Direction.LOOSER, f"adds {spoken(added)}")
    if removed := old - new:
        yield Change(path, Direction.TIGHTER, f"removes {spoken(removed)}")


def edges(minutes: AbstractSet[int]) -> list[int]:
    """Return where runs of minutes of the week begin, and where they have ended."""
    begun = {minute for minute in minutes if minute - 1 not in minutes}
    ended = {minute + 1 for minute in minutes if minute + 1 not in minutes}
    return sorted(begun | ended)


def spoken(minutes: AbstractSet[int]) -> str:
    """Say minutes of the week as ``mon 08:00-18:00, tue 08:00-18:00``."""
    runs = groupby(enumerate(sorted(minutes)), lambda pair: (pair[1] - pair[0], pair[1] // DAY))
    parts = []
    for _, run in runs:
        inside = [minute for _, minute in run]
        start, end = inside[0] % DAY, inside[-1] % DAY + 1
        parts.append(f"{DAYS[inside[0] // DAY]} {_clock(start)}-{_clock(end)}")
    return ", ".join(parts)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


class Times(NamedTuple):
    """When a grant is open."""

    hours: Hours | None
    not_before_ms: int
    expires_ms: int | None

    def contain(self, at_ms: int) -> bool:
        """Whether it is open."""
        begun = at_ms >= self.not_before_ms and (self.expires_ms is None or at_ms < self.expires_ms)
        return begun and (self.hours is None or self.hours.contains(at_ms))

    def candidates(self) -> Iterator[int]:
        """Return the times at which it opens or closes in some weeks."""
        zone = self.hours.zone if self.hours else UTC
        minutes = edges(self.hours.minutes()) if self.hours else (0,)
        end_ms = self.expires_ms or 0
        ends = [time for time in (self.not_before_ms, end_ms - 1, end_ms) if time > 0]
        yield from ends
        for monday, minute in product((*map(_monday, ends), *_MONDAYS), minutes):
            moment = (monday + timedelta(minutes=minute)).replace(tzinfo=zone)
            yield int(moment.timestamp()) * 1000


def times(grant: Grant) -> Times:
    """Return when a grant is open."""
    return Times(grant.hours, grant.not_before_ms, grant.expires_ms)


@lru_cache(maxsize=1024)
def instants(old: Times | None, new: Times, *, focus: bool) -> tuple[int, ...]:
    """Return times, in milliseconds, when the new one is open; with ``focus``, the old closed.

    At most one of a kind: open in both, open in the new only.
    """
    both: list[int] = []
    only: list[int] = []
    candidates = {*new.candidates(), *(old.candidates() if old else ())}
    for at_ms in sorted(filter(new.contain, candidates)):
        (both if old is None or old.contain(at_ms) else only).append(at_ms)
    return tuple(only[:1] if focus else both[:1] + only[:1])


def _monday(time_ms: int) -> datetime:
    day = datetime.fromtimestamp(time_ms // 1000, UTC).replace(tzinfo=None, hour=0, minute=0)
    return day.replace(second=0) - timedelta(days=day.weekday())
