"""Requests that only the policy can read: orders without a price, and pinned calls.

Both start from requests that a grant of the new policy allows, and say the same in the
way of a payload that only the policy can read: without a price, or as a call.
"""

from collections.abc import Callable, Iterator

from msgspec import structs

from policy import amounts, calldata
from policy.compare.edit import Edit
from policy.compare.requests import requests
from policy.contracts import PinnedCall
from policy.markets import PRICE_DECIMALS
from policy.model import CONTRACT_CALL, Ask, ContractCall, Role, Side, Transfer
from policy.rules import Policy

Asks = Iterator[tuple[Ask, int]]
_MARKETS = "markets."
_READS_CALLS = "ethereum."  # the formats whose payloads may hold calls
_QUANTITY_DECIMALS = 18  # of what an order trades


def maker(policy: Policy, path: str) -> Callable[[Edit], Asks] | None:
    """Return what makes requests of the market or the call at a path; None for others."""
    call = next((call for call in policy.calls.values() if call.path == path), None)
    if call is not None:
        return lambda edit: _calls(edit, call)
    market, _, side = path.removeprefix(_MARKETS).rpartition(".")
    if path.startswith(_MARKETS) and side in policy.markets.get(market, {}):
        return lambda edit: _orders(edit, market, Side(side), policy)
    return None


def usual(policy: Policy) -> Callable[[Edit], Asks]:
    """Return what makes requests of any grant: of a pinned call, calls."""
    calls = {call.action: call for call in policy.calls.values()}

    def make(edit: Edit) -> Asks:
        call = calls.get(edit.after.action)
        if call is not None:
            return _calls(edit, call)
        return _swaps(edit, policy) if edit.is_of("worst_price") else requests(edit)

    return make


def _orders(edit: Edit, market: str, side: Side, policy: Policy) -> Asks:
    """Buy or sell there without a price, as much as the new worst price lets pass."""
    if market not in edit.after.destinations or side not in edit.after.sides:
        return
    worst = policy.markets[market][side]
    for ask, at_ms in requests(edit):
        first, *others = ask.facts.transfers
        decimals = policy.assets[first.asset].decimals
        quantity = amounts.to_text(first.amount, decimals)
        if side is Side.BUY:
            quantity = _bought(first.amount, decimals, worst)
        facts = structs.replace(
            ask.facts,
            transfers=(structs.replace(first, destination=market), *others),
            side=side,
            price=None,
            quantity=quantity,
        )
        yield structs.replace(ask, facts=facts), at_ms


def _swaps(edit: Edit, policy: Policy) -> Asks:
    """Ask as usual, and sell one unit for the least that the new worst price lets pass."""
    yield from requests(edit)
    worst = (edit.after.worst_price or {}).get(Side.SELL)
    if worst is None:  # no swap passes
        return
    for symbol in sorted(filter(None, edit.after.symbols)):
        names = symbol.split("/")
        if len(names) == len(policy.assets.keys() & names) == 2:  # noqa: PLR2004 - sold, bought
            given, taken = (policy.assets[name] for name in names)
            for ask, at_ms in requests(edit):
                sold = Transfer(
                    given.ref, 10**given.decimals, min(edit.after.destinations, default=None)
                )
                least = -(-worst * 10**taken.decimals // 10**PRICE_DECIMALS)
                receives = Transfer(taken.ref, max(1, least), None)
                facts = structs.replace(
                    ask.facts, transfers=(sold,), side=Side.SELL, price=None, receives=receives
                )
                yield structs.replace(ask, facts=facts), at_ms


def _bought(amount: int, decimals: int, worst: int) -> str:
    """Return how much an amount buys at the worst price, rounded down."""
    scale = PRICE_DECIMALS + _QUANTITY_DECIMALS - decimals
    return amounts.to_text(amount * 10**scale // max(1, worst), _QUANTITY_DECIMALS)


def _calls(edit: Edit, call: PinnedCall) -> Asks:
    """Make the call move what a request of the new policy moves."""
    if edit.after.action != call.action:
        return
    for ask, at_ms in requests(edit):
        if not ask.format.startswith(_READS_CALLS):
            continue
        fees = tuple(item for item in ask.facts.transfers if item.role is Role.FEE)
        moved = next((item for item in ask.facts.transfers if item.role is not Role.FEE), None)
        value = moved.amount if moved and call.amount is None else 0
        for data in calldata.written(call, moved):
            made = ContractCall(call.contract, value, data.hex())
            said = {"action": CONTRACT_CALL, "chain_id": call.chain_id, "call": made}
            facts = structs.replace(ask.facts, transfers=fees, **said)
            yield structs.replace(ask, facts=facts), at_ms
