"""Compares opening hours, minute by minute of the week on the wall clock of one zone."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, product
from typing import NamedTuple

from policy.compare.change import Change, Direction
from policy.hours import DAY, DAYS, Hours, minutes_of
from policy.rules import Grant

_MONDAYS = (datetime(2026, 1, 5), datetime(2026, 7, 6))  # noqa: DTZ001 - on a clock to be named

_AROUND = [timedelta(weeks=weeks) for weeks in (-1, 0, 1)]
_ALWAYS = Hours(UTC, frozenset(range(7)), 0, DAY)


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


def opening(
    path: str, old: Sequence[Hours] | None, new: Sequence[Hours] | None
) -> Iterator[Change]:
    """Compare when a grant is open; None is always."""
    if old is None or new is None:
        if new is not None:
            yield Change(path, Direction.TIGHTER, f"is now only {spoken(_all(new))}")
        elif old is not None:
            yield Change(path, Direction.LOOSER, f"is now always; it was {spoken(_all(old))}")
        return
    zones = sorted({str(item.zone) for item in (*old, *new)})
    if len(zones) > 1 and set(old) != set(new):
        text = f"changes on the clocks of {' and '.join(zones)}, which are not compared"
        yield Change(path, Direction.LOOSER, text)
        return
    if added := _added(old, new):
        yield Change(path, Direction.LOOSER, f"adds {added}")
    if removed := _added(new, old):
        yield Change(path, Direction.TIGHTER, f"removes {removed}")


def _all(hours: Iterable[Hours]) -> frozenset[int]:
    return frozenset[int]().union(*map(minutes_of, hours))


def _added(old: Iterable[Hours], new: Iterable[Hours]) -> str:
    """Say what new hours have and old ones do not; a minute counts where no more dates are closed.

    All are on the clock of one zone.
    """
    minutes = _all(new) - _all(old)
    dates: set[str] = set()
    for item in new:
        if not minutes_of(item) <= _all(other for other in old if other.closed <= item.closed):
            dates |= {str(date) for other in old for date in other.closed - item.closed}
    parts = ([spoken(minutes)] if minutes else []) + sorted(dates)
    return ", ".join(parts)


def edges(minutes: AbstractSet[int]) -> list[int]:
    """Return where runs of minutes of the week begin, and where they have ended."""
    begun = {minute for minute in minutes if minute - 1 not in minutes}
    ended = {minute + 1 for minute in minutes if minute + 1 not in minutes}
    return sorted(begun | ended)


def spoken(minutes: AbstractSet[int]) -> str:
    """Say minutes of the week as ``mon-fri 08:00-18:00, sat 08:00-12:00``."""
    days: dict[tuple[int, int], list[int]] = {}
    for first, last in _runs(minutes):
        days.setdefault((first % DAY, last % DAY + 1), []).append(first // DAY)
    return ", ".join(
        f"{_days(found)} {_clock(start)}-{_clock(end)}" for (start, end), found in days.items()
    )


def _runs(minutes: AbstractSet[int]) -> Iterator[tuple[int, int]]:
    """Return the first and the last minute of each run within a day."""
    pairs = enumerate(sorted(minutes))
    for _, run in groupby(pairs, lambda pair: (pair[1] - pair[0], pair[1] // DAY)):
        inside = [minute for _, minute in run]
        yield inside[0], inside[-1]


def _days(days: list[int]) -> str:
    parts = []
    for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0]):
        first, *rest = [DAYS[day] for _, day in run]
        parts.append(f"{first}-{rest[-1]}" if rest else first)
    return ",".join(parts)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


class Times(NamedTuple):
    """When a grant is open."""

    hours: tuple[Hours, ...] | None
    not_before_ms: int
    expires_ms: int | None

    def contain(self, at_ms: int) -> bool:
        """Whether it is open."""
        begun = at_ms >= self.not_before_ms and (self.expires_ms is None or at_ms < self.expires_ms)
        return begun and (self.hours is None or any(item.contains(at_ms) for item in self.hours))

    def candidates(self) -> Iterator[int]:
        """Return the times at which it opens or closes in some weeks."""
        end_ms = self.expires_ms or 0
        ends = [at_ms for at_ms in (self.not_before_ms, end_ms - 1, end_ms) if at_ms > 0]
        yield from ends
        mondays = {*_MONDAYS, *(_monday(at_ms) + week for at_ms in ends for week in _AROUND)}
        for item in self.hours or (_ALWAYS,):
            dates = (datetime.combine(date, time()) for date in item.closed)
            weeks = mondays | {date - timedelta(days=date.weekday()) for date in dates}
            for monday, minute in product(weeks, edges(minutes_of(item))):
                moment = (monday + timedelta(minutes=minute)).replace(tzinfo=item.zone)
                yield int(moment.timestamp()) * 1000


def times(grant: Grant) -> Times:
    """Return when a grant is open."""
    return Times(grant.hours, grant.not_before_ms, grant.expires_ms)


@lru_cache(maxsize=1024)
def instants(olds: tuple[Times, ...], new: Times, *, focus: bool) -> tuple[int, ...]:
    """Return times, in milliseconds, when the new one is open, at most one for each set of olds.

    A set is of those that are open then, larger ones first; with ``focus``, without the first.
    """
    found: dict[tuple[bool, ...], int] = {}
    candidates = {at_ms for item in (new, *olds) for at_ms in item.candidates()}
    for at_ms in sorted(filter(new.contain, candidates)):
        is_open = tuple(old.contain(at_ms) for old in olds)
        if not (focus and is_open and is_open[0]):
            found.setdefault(is_open, at_ms)
    return tuple(found[is_open] for is_open in sorted(found, reverse=True))


def _monday(time_ms: int) -> datetime:
    date = datetime.fromtimestamp(time_ms // 1000, UTC).date()
    return datetime.combine(date - timedelta(days=date.weekday()), time())
