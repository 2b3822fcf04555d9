"""What every payload of an action says alike: how many payments, of what, to whom.

A shape allows whatever some decoder can read, and little more, so that a proof about it is
one about payloads. An action without a shape is taken to say anything.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from policy import fields
from policy.abi import WORD
from policy.amounts import MAX_AMOUNT
from policy.assets import Asset
from policy.contracts import PinnedCall
from policy.payloads.ethereum import calls, erc20, orders, permits, pinned, transaction, typed_data
from policy.rules import KeyPolicy, Policy

# Whether payloads that move the key's own funds pay for gas, and those that move another
# account's; a payload of which nothing stands here is not read.
Gas = Mapping[bool, bool]

_TRANSACTION: Gas = {True: True}
_SAFE: Gas = {False: False}
OF_ANOTHER = "erc20.transferFrom"
SAFES = "safe."  # what the actions of a Safe begin with


# What no payload of these formats names, and how its facts say so.
UNSAID: Mapping[str, object] = {
    "venue": None,
    "symbol": None,
    "side": None,
    "order_type": None,
    "session": False,
}


# Actions whose payloads all say what they bring: each needs a worst price.
SWAPS = frozenset({orders.COW, orders.ZEROX})


class Shape(NamedTuple):
    """The payloads of one action on Ethereum chains.

    Attributes:
        pays: whether one may pay an asset to a destination, on the asset's chain.
        gas: which ones there are, by whose funds they move, and which pay for gas.
        most: the largest amount that it may pay.
        moves: whether it pays at all, as each does then.
        single: whether it pays no more than once.
        chain_id: the one chain that it is on; None for that of the asset.
    """

    pays: Callable[[Asset, str], bool]
    gas: Gas
    most: int = MAX_AMOUNT
    moves: bool = True
    single: bool = True
    chain_id: int | None = None

    def at(self, asset: Asset) -> int | None:
        """Return the chain on which it pays an asset."""
        return self.chain_id or asset.chain_id


def of(policy: Policy, key: KeyPolicy, action: str) -> Shape | None:
    """Return the shape of an action's payloads that the key takes; None for any."""
    call = next((call for call in policy.calls.values() if call.action == action), None)
    return _pinned(call, key) if call else _SHAPES.get(action)


def _pinned(call: PinnedCall, key: KeyPolicy) -> Shape:
    gas = dict(_TRANSACTION) if transaction.TAG in key.formats else {}
    gas |= _SAFE if typed_data.TAG in key.formats else {}
    bits = 8 * WORD if call.amount is None else _bits(call.method.parameters[call.amount].kind)
    return Shape(_pays(call), gas, 2**bits - 1, call.moves, chain_id=call.chain_id)


def _bits(kind: str) -> int:
    return int(kind.removeprefix("uint"))


def _pays(call: PinnedCall) -> Callable[[Asset, str], bool]:
    def pays(asset: Asset, destination: str) -> bool:
        if call.destination is None:
            right_place = destination == call.contract
        else:
            right_place = fields.is_ethereum(destination)
        if call.asset_from is not None:
            return right_place and asset.chain_id == call.chain_id and not asset.is_native
        return right_place and asset.ref == call.asset

    return pays


def accounts(sources: Iterable[str | None]) -> list[str]:
    """Return which are addresses on an Ethereum chain."""
    return sorted(text for text in sources if text is not None and fields.is_ethereum(text))


def _token(asset: Asset, destination: str) -> bool:
    return asset.chain_id is not None and not asset.is_native and _is_payee(destination)


def _coin(asset: Asset, destination: str) -> bool:
    return asset.is_native and _is_payee(destination)


def _is_payee(destination: str) -> bool:
    return fields.is_ethereum(destination) and destination != pinned.NONE


def _usual(action: str) -> Shape:
    gas = _SAFE if action.startswith(SAFES) else _TRANSACTION
    if action == OF_ANOTHER:
        gas = {False: True}
    coin = action.removeprefix(SAFES) not in erc20.ACTIONS
    return Shape(_coin if coin else _token, gas, single=action != transaction.SET_CODE)


def _given(asset: Asset, destination: str) -> bool:
    return asset.chain_id is not None and fields.is_ethereum(destination)


_PERMIT2 = "permit2."
_BATCHES = frozenset({"permit2.permitBatch", "permit2.batchTransferFrom"})


def _permit(action: str) -> Shape:
    gas = {True: False} if action.startswith(_PERMIT2) else {False: False}
    return Shape(_given, gas, single=action not in _BATCHES)


_SHAPES = {min(schema.actions): _permit(min(schema.actions)) for schema in permits.SCHEMAS} | {
    action: _usual(action)
    for action in (
        *calls.ACTIONS,
        *(action for action in typed_data.FORMAT.actions if action.startswith(SAFES)),
        transaction.BLOB_TRANSFER,
        transaction.SET_CODE,
    )
}
