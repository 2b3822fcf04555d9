"""Orders without a price: they count at the worst price that the policy names for their market.

Nothing in such an order bounds what it spends, so that the security team says what a
unit may cost at worst; where it says nothing, the order is refused. From then on it is
an order at that price: for its grant, for approvals and for limits.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from policy import amounts
from policy.model import Facts, Side, Transfer
from policy.reasons import Code, Reason

PRICE_DECIMALS = amounts.MAX_DECIMALS
WorstPrices = Mapping[Side, int]  # with PRICE_DECIMALS decimals
Markets = Mapping[str, WorstPrices]  # by market, as the destination of its orders names it


def priced(markets: Markets, facts: Facts) -> tuple[Facts, list[Reason]]:
    """Return an order that has no price with the worst one and what it spends at that.

    A decoder gives a buy of a quantity without a price the largest amount there is, which
    stands where the policy names no price.
    """
    market = str(facts.transfers[0].destination) if facts.transfers else ""
    worst = markets.get(market, {}).get(facts.side) if facts.side else None
    if worst is None:
        detail = f"the order names no price, and the policy none for a {facts.side} there"
        return facts, [Reason(Code.PRICE_NOT_ALLOWED, f"markets.{market}", detail)]
    text = amounts.to_text(worst, PRICE_DECIMALS)
    return replace(facts, price=text, transfers=_at(worst, facts)), []


def _at(worst: int, facts: Facts) -> tuple[Transfer, ...]:
    """A sale gives its quantity at any price, and so does an order of a sum of money."""
    if facts.side is Side.SELL or facts.quantity is None:
        return facts.transfers
    product = amounts.parse(facts.quantity, PRICE_DECIMALS) * worst
    spent = amounts.rescale(product, PRICE_DECIMALS, 0)  # back to the decimals of one factor
    first, *others = facts.transfers
    return (replace(first, amount=spent, decimals=PRICE_DECIMALS), *others)
