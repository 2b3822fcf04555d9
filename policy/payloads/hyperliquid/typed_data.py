"""What is signed of an L1 action: typed data (EIP-712) around the action's hash.

The hash covers the action in MessagePack, the nonce, the vault and the expiry,
one after the other. MessagePack ends where the action ends, so that no other
action, nonce, vault and expiry give the same bytes.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from policy.keccak import keccak256

_DOMAIN = keccak256(
    keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    + keccak256(b"Exchange")
    + keccak256(b"1")
    + (1337).to_bytes(32)
    + bytes(32)
)
_AGENT = keccak256(b"Agent(string source,bytes32 connectionId)")


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
    """Return what is hashed and signed, 66 bytes (EIP-712, "Specification")."""
    agent = keccak256(_AGENT + keccak256(source.encode("ascii")) + connection_id)
    return b"\x19\x01" + _DOMAIN + agent
