"""Transactions of a Safe, a contract account with several owners (Safe 1.3 and later).

The key is one of the owners. Its signature may be the last that is wanted, so that
everything counts as spent; the Safe stands in the facts as the source of the funds.
"""

from policy.model import Facts
from policy.payloads.ethereum import calls
from policy.payloads.ethereum.eip712 import Struct, domain_type
from policy.payloads.ethereum.pinned import NONE, Domain, Schema, Values
from policy.reasons import Code, PayloadError

_ACTIONS = {  # what the Safe does for itself; transferFrom would have two sources
    "native.transfer": "safe.native.transfer",
    "erc20.transfer": "safe.erc20.transfer",
    "erc20.approve": "safe.erc20.approve",
}
# What else the struct holds: a refund of gas is a payment to anybody, and operation 1 runs
# foreign code as the Safe.
FIXED = {
    "operation": 0,
    "safeTxGas": 0,
    "baseGas": 0,
    "gasPrice": 0,
    "gasToken": NONE,
    "refundReceiver": NONE,
}


def _facts(domain: Domain, message: Values) -> Facts:
    for name, expected in FIXED.items():
        if message[name] != expected:
            raise _unsupported(name, f"is {message[name]}; only {expected} is taken")
    to, data = message["to"], message["data"]
    if to == NONE:
        raise _unsupported("to", "the zero address")
    if to == domain.contract and data:
        raise _unsupported("to", "is the Safe itself: it changes its owners or its rules")
    effect = calls.effect(
        domain.chain_id, bytes.fromhex(to[2:]), message["value"], data, "$.message"
    )
    action = effect.action if effect.call else _ACTIONS.get(effect.action)
    if action is None:
        raise _unsupported("data", f"{effect.action} moves funds of a third account")
    return Facts(
        action,
        (effect.transfer,) if effect.transfer else (),
        chain_id=domain.chain_id,
        source=domain.contract,
        nonce=str(message["nonce"]),
        call=effect.call,
    )


def _unsupported(name: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_UNSUPPORTED, f"$.message.{name}", detail)


SCHEMAS = (
    Schema(
        Struct(
            "SafeTx",
            "address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,"
            "uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,"
            "uint256 nonce",
        ),
        (domain_type("uint256 chainId,address verifyingContract"),),
        _facts,
        frozenset(_ACTIONS.values()),
    ),
)
