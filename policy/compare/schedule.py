"""Compares opening hours, minute by minute of the week on the wall clock of one zone."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby, product

from policy.compare.change import Change, Direction
from policy.hours import DAYS, Hours

DAY = 24 * 60
_MONDAYS = (datetime(2026, 1, 5), datetime(2026, 7, 6))  # noqa: DTZ001 - on a clock to be named


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


@lru_cache(maxsize=1024)
def instants(old: Hours | None, new: Hours | None, *, focus: bool) -> tuple[int, ...]:
    """Return times, in milliseconds, at which new hours are open; with ``focus``, old ones closed.

    At most one of a kind: open in both, open in the new only. A week in winter and
    one in summer are looked at.
    """
    zone = new.zone if new else old.zone if old else UTC
    minutes = sorted(new.minutes()) if new else range(7 * DAY)
    both: list[int] = []
    only: list[int] = []
    for monday, minute in product(_MONDAYS, minutes):
        moment = (monday + timedelta(minutes=minute)).replace(tzinfo=zone)
        at_ms = int(moment.timestamp()) * 1000
        (both if old is None or old.contains(at_ms) else only).append(at_ms)
    return tuple(only[:1] if focus else both[:1] + only[:1])
