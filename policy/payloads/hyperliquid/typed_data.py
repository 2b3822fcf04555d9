"""What is signed: typed data (EIP-712) around an action's hash, or of a transfer.

An action's hash covers the action in MessagePack, the nonce, the vault and the expiry,
one after the other. MessagePack ends where the action ends, so that no other
action, nonce, vault and expiry give the same bytes.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from policy.keccak import keccak256
from policy.payloads.ethereum import eip712
from policy.payloads.ethereum.eip712 import Struct

_DOMAIN = eip712.domain_type("string name,string version,uint256 chainId,address verifyingContract")
_AGENT = Struct("Agent", "string source,bytes32 connectionId")
_AGENT_DOMAIN = ("Exchange", 1337)
_TRANSFER_DOMAIN = "HyperliquidSignTransaction"
_TEXTS = ("hyperliquidChain", "destination", "amount")
_TRANSFERS = {
    kind: Struct(
        f"HyperliquidTransaction:{kind}",
        "string hyperliquidChain,string destination,string amount,uint64 time",
    )
    for kind in ("UsdSend", "Withdraw")
}


def action_hash(
    action: Mapping[str, Any], nonce: int, vault: str | None, expires_after: int | None
) -> bytes:
    """Return the 32-byte hash of an action whose members stand in the venue's order.

    Args:
        action: as the venue's documentation writes it.
        nonce: milliseconds since the epoch.
        vault: the address of the account that is traded for, if not the signer's own.
        expires_after: milliseconds since the epoch; None for never.
    """
    parts = [msgspec.msgpack.encode(action), nonce.to_bytes(8)]
    parts.append(b"\0" if vault is None else b"\1" + bytes.fromhex(vault[2:]))
    if expires_after is not None:
        parts.append(b"\0" + expires_after.to_bytes(8))
    return keccak256(b"".join(parts))


def message(connection_id: bytes, source: str) -> bytes:
    """Return what is hashed and signed of an action, 66 bytes."""
    agent = keccak256(_AGENT.type_hash + keccak256(source.encode("ascii")) + connection_id)
    return eip712.message(_domain(*_AGENT_DOMAIN), agent)


def transfer(kind: str, chain_id: int, texts: Sequence[str], time: int) -> bytes:
    """Return what is hashed and signed of a transfer, 66 bytes.

    Args:
        kind: the last part of the primary type.
        chain_id: the EIP-155 chain of the domain, which has no other meaning.
        texts: network, destination and amount as the action has them.
        time: milliseconds since the epoch.
    """
    members = dict(zip(_TEXTS, texts, strict=True)) | {"time": str(time)}
    _, struct = _TRANSFERS[kind].read(members, "$")
    return eip712.message(_domain(_TRANSFER_DOMAIN, chain_id), struct)


@cache
def _domain(name: str, chain_id: int) -> bytes:
    contract = "0x" + "0" * 40
    members = {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": contract}
    return _DOMAIN.read(members, "$.domain")[1]
