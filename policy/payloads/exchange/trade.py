"""What an order or a withdrawal lets go, in one unit for all venues.

An order counts what it may give away and not what it may bring: a buy gives at
most price times quantity of the quote asset, a sell exactly the quantity of the
base asset, however low its price. (A sell's price is a floor, so that a limit on
price times quantity would be no limit.)

Amounts have 36 decimals, the most that a policy may give an asset, so that every
product is exact, and rounding to the asset's own decimals is left to the engine.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from policy import amounts, fields
from policy.model import Facts, Role, Side, Transfer
from policy.reasons import Code, PayloadError

DECIMALS = amounts.MAX_DECIMALS
PART = DECIMALS // 2  # decimals that a price and a quantity may have each


@dataclass(frozen=True, slots=True)
class Order:
    """A limit order. ``market`` is a CAIP-2 name; ``price`` and ``quantity`` are decimals."""

    market: str
    symbol: str
    base: str
    quote: str
    side: Side
    order_type: str
    quantity: str
    price: str

    @property
    def transfer(self) -> Transfer:
        """What it may give away, to its market."""
        if self.side is Side.BUY:
            given, amount = self.quote, _part(self.price) * _part(self.quantity)
        else:
            given, amount = self.base, base_units(self.quantity)
        return Transfer(
            f"{given}@{self.market}", amount, f"{self.market}/{self.symbol}", decimals=DECIMALS
        )

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
