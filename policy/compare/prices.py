"""Compares worst prices: those of a grant, and those that orders without a price count at."""

from collections.abc import Iterator, Mapping

from policy import amounts
from policy.compare.change import Change, Direction
from policy.markets import PRICE_DECIMALS, Markets
from policy.model import Side


def worst_prices(
    at: str, old: Mapping[Side, int] | None, new: Mapping[Side, int] | None
) -> Iterator[Change]:
    """Compare a grant's; a side without one is refused where another has one."""
    if old is None or new is None:
        if old is not new:
            worse = new is None
            direction = Direction.LOOSER if worse else Direction.TIGHTER
            yield Change(at, direction, "is gone: any price will do" if worse else "is new")
        return
    for side in Side:
        yield from _price(f"{at}.{side}", old.get(side), new.get(side), lower=side is Side.BUY)


def markets(old: Markets, new: Markets) -> Iterator[Change]:
    """Compare what orders without a price count at, and are judged by.

    A higher price makes a buy count for more, and worse for its grant; a lower one makes a
    sale worse for its grant, and no sale counts for less.
    """
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, {}), new.get(name, {})
        for side in Side:
            at = f"markets.{name}.{side}"
            yield from _price(at, before.get(side), after.get(side), lower=side is Side.SELL)


def _price(at: str, old: int | None, new: int | None, *, lower: bool) -> Iterator[Change]:
    """Compare two prices, of which none allows nothing; ``lower`` is tighter, or higher is."""
    if old == new:
        return
    before, after = ("none" if price is None else _decimal(price) for price in (old, new))
    better = new is None or (old is not None and (new < old) == lower)
    direction = Direction.TIGHTER if better else Direction.LOOSER
    yield Change(at, direction, f"changes from {before} to {after}")


def _decimal(price: int) -> str:
    return amounts.to_text(price, PRICE_DECIMALS)
