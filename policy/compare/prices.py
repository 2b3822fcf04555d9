"""Compares worst prices: those of a grant, and those that orders without a price count at."""

from collections.abc import Iterator

from policy import amounts
from policy.compare.change import Change, Direction
from policy.markets import PRICE_DECIMALS, Markets
from policy.model import Side
from policy.rules import Grant


def worst_prices(at: str, old: Grant, new: Grant) -> Iterator[Change]:
    """Compare two grants'; a side without one is refused where another has one.

    So is a swap where there is none at all: the first price lets swaps through.
    """
    before, after = old.worst_price, new.worst_price
    if before is not None and after is not None:
        for side in Side:
            lower = side is Side.BUY
            yield from _price(f"{at}.{side}", before.get(side), after.get(side), lower=lower)
    elif before is not None:
        yield Change(at, Direction.LOOSER, "is gone: any price will do")
    elif after is not None and _swaps(new):
        yield Change(at, Direction.LOOSER, "is new: swaps may pass, which had no price to keep to")
    elif after is not None:
        yield Change(at, Direction.TIGHTER, "is new")


def _swaps(grant: Grant) -> bool:
    """Whether one of the symbols may be that of a swap, ``sold/bought``."""
    return any(symbol and "/" in symbol for symbol in grant.symbols)


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
