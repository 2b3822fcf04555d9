"""What an order or a withdrawal lets go, in one unit for all venues.

An order counts what it may give away and not what it may bring: a buy gives at
most price times quantity of the quote asset, a sell exactly the quantity of the
base asset, however low its price. (A sell's price is a floor, so that a limit on
price times quantity would be no limit.) A buy without a price may give everything
away, as far as the request says; ``policy.markets`` knows better or refuses it.

Amounts have 36 decimals, the most that a policy may give an asset, so that every
product is exact, and rounding to the asset's own decimals is left to the engine.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from policy import amounts, fields
from policy.model import Facts, Role, Side, Transfer
from policy.reasons import Code, PayloadError

DECIMALS = amounts.MAX_DECIMALS
PART = DECIMALS // 2  # decimals that a price and a quantity may have each

# By an order's type: the parameters that stand with it, in one of these ways.
Types = Mapping[str, tuple[AbstractSet[str], ...]]


class Order(NamedTuple):
    """An order. ``market`` is a CAIP-2 name; ``price`` and ``quantity`` are decimals.

    Without a price it takes what it gets. ``spends`` is the sum of the quote asset that a
    buy without a quantity is for.
    """

    market: str
    symbol: str
    base: str
    quote: str
    side: Side
    order_type: str
    quantity: str | None
    price: str | None
    spends: str | None = None

    @property
    def transfer(self) -> Transfer:
        """What it may give away, to its market."""
        place = f"{self.market}/{self.symbol}"
        if self.side is Side.SELL and self.quantity is not None:
            return payment(f"{self.base}@{self.market}", self.quantity, place)
        given = f"{self.quote}@{self.market}"
        if self.spends is not None:
            return payment(given, self.spends, place)
        if self.price is not None and self.quantity is not None:
            amount = _part(self.price) * _part(self.quantity)
            return Transfer(given, amount, place, decimals=DECIMALS)
        return Transfer(given, amounts.MAX_AMOUNT, place)  # the policy may know a price

    def facts(
        self,
        action: str,
        *,
        timestamp: int,
        nonce: str,
        expires_at: int | None = None,
        source: str | None = None,
    ) -> Facts:
        """Return the facts; the action begins with the venue's name.

        ``timestamp`` is in milliseconds, ``expires_at`` in seconds since the epoch.
        """
        return Facts(
            action,
            (self.transfer,),
            source=source,
            expires_at=expires_at,
            nonce=nonce,
            venue=action.partition(".")[0],
            symbol=self.symbol,
            side=self.side,
            order_type=self.order_type,
            quantity=self.quantity,
            price=self.price,
            timestamp=timestamp,
        )


def check_type(values: Mapping[str, str], order_type: str, types: Types) -> None:
    """Check that an order has what orders of its type have, and nothing that others have.

    Raises:
        PayloadError: something is missing, or does not belong to the type.
    """
    known = frozenset[str]().union(*(item for ways in types.values() for item in ways))
    if known & values.keys() not in types[order_type]:
        ways = " or ".join(", ".join(sorted(way)) for way in types[order_type])
        detail = f"an order of type {order_type} has {ways or 'nothing'}; see the other types"
        raise PayloadError(Code.PAYLOAD_MALFORMED, "request", detail)


def base_units(text: str) -> int:
    """Return a decimal as an amount."""
    return amounts.parse(text, DECIMALS)


def payment(asset: str, amount: str, destination: str) -> Transfer:
    """A withdrawal of ``amount``, a decimal."""
    return Transfer(asset, base_units(amount), destination, decimals=DECIMALS)


def fee(asset: str, amount: str) -> Transfer:
    """The most that a withdrawal may cost."""
    return Transfer(asset, base_units(amount), None, Role.FEE, DECIMALS)


def split(symbol: str, quotes: Iterable[str]) -> tuple[str, str]:
    """Split a symbol such as BTCUSDT into its base and its quote asset.

    ``quotes`` are the venue's quote assets; none may be another's ending.

    Raises:
        PayloadError: it does not end in one of them, or has nothing before it.
    """
    for quote in quotes:
        if symbol.endswith(quote) and symbol != quote:
            return symbol.removesuffix(quote), quote
    detail = f"{symbol} is not priced in one of {', '.join(quotes)}"
    raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "request.symbol", detail)


def address(text: str) -> str:
    """Check a destination's one spelling.

    Raises:
        PayloadError: it has the form of an Ethereum address and not its checksum.
    """
    try:
        return fields.address(text)
    except ValueError as error:
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, "request.address", str(error)) from None


def _part(text: str) -> int:
    return amounts.parse(text, PART)
