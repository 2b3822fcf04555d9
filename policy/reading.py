"""What a payload does in the policy's own terms, where its bytes alone do not tell.

A decoder sees bytes and no policy. Three things wait for one: a call of a contract, which
means what the policy pins; a swap, whose price needs both assets' decimals; and an order
without a price, which counts at the worst that the policy names for its market. Reading
again what was read already changes nothing, so that a record can be judged anew.
"""

from msgspec.structs import replace

from policy import amounts, markets
from policy.amounts import MAX_AMOUNT
from policy.assets import Asset
from policy.markets import PRICE_DECIMALS
from policy.model import CONTRACT_CALL, ContractCall, Facts, Role, Transfer
from policy.reasons import Code, PayloadError, Reason
from policy.rules import Policy


def read(policy: Policy, facts: Facts) -> tuple[Facts, list[Reason]]:
    """Return the facts, and why they say no more than the decoder's did."""
    if facts.call is not None:
        return _called(policy, facts, facts.call)
    if facts.receives is not None:
        return _swapped(policy, facts, facts.receives)
    if facts.side is not None and facts.price is None:
        return markets.priced(policy.markets, facts)
    return facts, []


def _called(policy: Policy, facts: Facts, call: ContractCall) -> tuple[Facts, list[Reason]]:
    fees = tuple(item for item in facts.transfers if item.role is Role.FEE)
    selector = call.data[:8]
    pinned = policy.calls.get((facts.chain_id or 0, call.contract, selector))
    unread = replace(facts, action=CONTRACT_CALL, transfers=fees)
    if pinned is None:
        detail = f"0x{selector} of {call.contract} on chain {facts.chain_id} is not pinned"
        return unread, [Reason(Code.CALL_NOT_PINNED, "contracts", detail)]
    try:
        moved = pinned.read(call)
    except PayloadError as error:
        return unread, [error.reason]
    transfers = fees if moved is None else (moved, *fees)
    return replace(facts, action=pinned.action, transfers=transfers), []


def _swapped(policy: Policy, facts: Facts, receives: Transfer) -> tuple[Facts, list[Reason]]:
    sold = facts.transfers[0]
    given, taken = policy.assets.get(sold.asset), policy.assets.get(receives.asset)
    if taken is None:
        return facts, [Reason(Code.ASSET_UNKNOWN, "assets", f"no asset {receives.asset}")]
    if given is None:  # the engine says so itself
        return facts, []
    price = amounts.to_text(_price(given, taken, sold, receives), PRICE_DECIMALS)
    quantity = amounts.to_text(sold.amount, given.decimals)
    symbol = f"{given.name}/{taken.name}"
    return replace(facts, symbol=symbol, quantity=quantity, price=price), []


def _price(given: Asset, taken: Asset, sold: Transfer, receives: Transfer) -> int:
    """Return what one whole unit brings at least, rounded down, with PRICE_DECIMALS decimals."""
    brought: int = receives.amount * 10 ** (PRICE_DECIMALS + given.decimals)
    per_unit: int = brought // (sold.amount * 10**taken.decimals)
    return min(MAX_AMOUNT, per_unit)
