"""From an unsigned transaction and its signature to what a node takes."""

from policy.keccak import keccak256
from policy.payloads.ethereum import rlp

SCALAR = 32
EIP_155_OFFSET = 35
RECOVERY_OFFSET = 27  # Yellow Paper, appendix F


def signing_hash(payload: bytes) -> bytes:
    """Return the hash that the signature covers, 32 bytes."""
    return keccak256(payload)


def assemble(payload: bytes, signature: bytes, y_parity: int) -> bytes:
    """Return the signed transaction, ready to broadcast.

    Args:
        payload: an unsigned transaction that its decoder accepted.
        signature: r || s, 64 bytes.
        y_parity: 0 or 1.

    Raises:
        ValueError: the signature or its parity is something else.
    """
    if len(signature) != 2 * SCALAR or y_parity not in {0, 1}:
        raise ValueError(f"a signature has {2 * SCALAR} bytes, and a parity of 0 or 1")
    r, s = signature[:SCALAR].lstrip(b"\0"), signature[SCALAR:].lstrip(b"\0")  # as scalars are
    if payload[0] >= rlp.LIST:
        items = _items(payload)
        # EIP-155: the chain id moves into v, and r and s replace the two zeros.
        chain_id = int.from_bytes(_bytes(items[6]))
        v = rlp.scalar(chain_id * 2 + EIP_155_OFFSET + y_parity)
        return rlp.encode([*items[:6], v, r, s])
    return payload[:1] + rlp.extended(payload[1:], [rlp.scalar(y_parity), r, s])


def transaction_hash(raw: bytes) -> bytes:
    """Return a signed transaction's hash, 32 bytes (EIP-2718)."""
    return keccak256(raw)


def _items(encoded: bytes) -> list[rlp.Item]:
    items = rlp.decode(encoded, "transaction")
    assert isinstance(items, list)  # noqa: S101 - its decoder accepted it
    return items


def _bytes(item: rlp.Item) -> bytes:
    assert isinstance(item, bytes)  # noqa: S101 - its decoder accepted it
    return item
