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

_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_AGENT = keccak256(b"Agent(string source,bytes32 connectionId)")
_AGENT_DOMAIN = (b"Exchange", 1337)
_TRANSFER_DOMAIN = b"HyperliquidSignTransaction"


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
    """Return what is hashed and signed of an action, 66 bytes (EIP-712, "Specification")."""
    agent = keccak256(_AGENT + keccak256(source.encode("ascii")) + connection_id)
    return b"\x19\x01" + _domain(*_AGENT_DOMAIN) + agent


def transfer(kind: str, chain_id: int, texts: Sequence[str], time: int) -> bytes:
    """Return what is hashed and signed of a transfer, 66 bytes.

    Args:
        kind: the last part of the primary type.
        chain_id: the EIP-155 chain of the domain, which has no other meaning.
        texts: network, destination and amount as the action has them.
        time: milliseconds since the epoch.
    """
    primary = f"HyperliquidTransaction:{kind}"
    members = "string hyperliquidChain,string destination,string amount,uint64 time"
    hashes = b"".join(keccak256(text.encode("ascii")) for text in texts)
    type_hash = keccak256(f"{primary}({members})".encode("ascii"))
    struct = keccak256(type_hash + hashes + time.to_bytes(32))
    return b"\x19\x01" + _domain(_TRANSFER_DOMAIN, chain_id) + struct


@cache
def _domain(name: bytes, chain_id: int) -> bytes:
    parts = (_DOMAIN_TYPE, keccak256(name), keccak256(b"1"), chain_id.to_bytes(32), bytes(32))
    return keccak256(b"".join(parts))
