"""Calls of an ERC-20 token (ERC-20; contract ABI specification, static types).

A call is a selector and one 32-byte word for each argument, nothing after. An
address fills the lower 20 bytes of its word; anything in the upper 12 would be
read by some contracts and cut off by others, so it is refused.
"""

from dataclasses import dataclass
from typing import NamedTuple

from policy.model import Role
from policy.payloads.ethereum import address
from policy.reasons import Code, PayloadError

SELECTOR_LENGTH = 4
WORD = 32
DIRTY = WORD - address.LENGTH


class Call(NamedTuple):
    """What a token call moves: base units, to whom, and whose when not the key's own."""

    action: str
    amount: int
    destination: str
    role: Role
    source: str | None = None


@dataclass(frozen=True, slots=True)
class _Method:
    action: str
    words: int
    role: Role


METHODS = {
    bytes.fromhex("a9059cbb"): _Method("erc20.transfer", 2, Role.PAYMENT),
    bytes.fromhex("095ea7b3"): _Method("erc20.approve", 2, Role.ALLOWANCE),
    bytes.fromhex("23b872dd"): _Method("erc20.transferFrom", 3, Role.PAYMENT),
}
ACTIONS = frozenset(method.action for method in METHODS.values())


def decode(data: bytes, where: str) -> Call:
    """Read calldata, which is not empty.

    Raises:
        PayloadError: another method, another length, a dirty or zero address.
    """
    method = METHODS.get(data[:SELECTOR_LENGTH])
    if method is None:
        raise PayloadError(
            Code.PAYLOAD_UNSUPPORTED,
            where,
            f"0x{data[:SELECTOR_LENGTH].hex()} is not transfer, transferFrom or approve of ERC-20",
        )
    expected = SELECTOR_LENGTH + WORD * method.words
    if len(data) != expected:
        detail = f"{method.action} takes {expected} bytes, not {len(data)}"
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, detail)
    words = [data[at : at + WORD] for at in range(SELECTOR_LENGTH, expected, WORD)]
    source = _address(words[0], where, "from") if len(words) == 3 else None  # noqa: PLR2004 - from, to, amount
    destination = _address(words[-2], where, "to")
    return Call(method.action, int.from_bytes(words[-1]), destination, method.role, source)


def _address(word: bytes, where: str, name: str) -> str:
    raw = word[DIRTY:]
    if any(word[:DIRTY]):
        detail = f"{name}: the upper {DIRTY} bytes of an address are not zero"
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
    if raw == address.ZERO:
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, f"{name}: the zero address")
    return address.text(raw)
