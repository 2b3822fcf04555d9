"""What a call of an account does: moves coins, calls a token, or is for the policy to read.

A transaction and a Safe's transaction hold the same three things: to, value and data.
"""

from typing import NamedTuple

from policy.assets import erc20_ref, native_ref
from policy.model import CONTRACT_CALL, ContractCall, Transfer
from policy.payloads.ethereum import address, erc20
from policy.reasons import Code, PayloadError

NATIVE_TRANSFER = "native.transfer"
ACTIONS = erc20.ACTIONS | {NATIVE_TRANSFER}
# Arguments of static types have 32 bytes each; nothing longer is read.
MAX_WORDS = 16


class Effect(NamedTuple):
    """An action and what it moves; ``call`` is there where only the policy can tell."""

    action: str
    transfer: Transfer | None
    source: str | None = None
    call: ContractCall | None = None


def effect(chain_id: int, to: bytes, value: int, data: bytes, where: str) -> Effect:
    """Read a call of ``to``, 20 bytes; ``where`` is the place that holds the three.

    Raises:
        PayloadError: calldata that is no call of static arguments, a token's call that
            is not canonical, or value beside one.
    """
    if not data:
        moved = Transfer(native_ref(chain_id), value, address.text(to))
        return Effect(NATIVE_TRANSFER, moved)
    if data[: erc20.SELECTOR_LENGTH] not in erc20.METHODS:
        return _unread(to, value, data, where)
    call = erc20.decode(data, f"{where}.data")
    if value:
        detail = f"value beside {call.action}, which takes none"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, f"{where}.value", detail)
    asset = erc20_ref(chain_id, address.text(to))
    moved = Transfer(asset, call.amount, call.destination, call.role)
    return Effect(call.action, moved, call.source)


def _unread(to: bytes, value: int, data: bytes, where: str) -> Effect:
    """Leave a call of another method to the policy, which pins it or refuses it."""
    words, rest = divmod(len(data) - erc20.SELECTOR_LENGTH, erc20.WORD)
    if rest or not 0 <= words <= MAX_WORDS:
        detail = f"{len(data)} bytes are not a selector and up to {MAX_WORDS} words of 32"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, f"{where}.data", detail)
    return Effect(CONTRACT_CALL, None, call=ContractCall(address.text(to), value, data.hex()))
