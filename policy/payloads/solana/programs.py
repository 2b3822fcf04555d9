"""What instructions of the known programs do: transfers, and the price of computing.

Each has one length and one number of accounts; whatever else a program can do is
refused. Numbers are little-endian (System, Token and Compute Budget programs).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from policy.model import Transfer
from policy.payloads.solana import address
from policy.reasons import Code, PayloadError

# Messages do not name their cluster, so each is taken for one of the main network.
CHAIN = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
SOL, SOL_DECIMALS = f"SOL@{CHAIN}", 9
TRANSFER, TOKEN_TRANSFER = "solana.transfer", "solana.token_transfer"

SYSTEM = bytes(address.LENGTH)
TOKEN = address.parse("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = address.parse("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
COMPUTE_BUDGET = address.parse("ComputeBudget111111111111111111111111111111")

_SYSTEM_TRANSFER = (2).to_bytes(4, "little")
_TRANSFER, _TRANSFER_CHECKED = 3, 12
_UNIT_LIMIT, _UNIT_PRICE = 2, 3
_BUDGET_SIZES: Mapping[int, int] = {_UNIT_LIMIT: 5, _UNIT_PRICE: 9}

SIGNATURE_FEE = 5000  # lamports
MAX_UNITS = 1_400_000  # what a transaction may use at most, whatever it asks for
MICRO = 1_000_000


class Call(NamedTuple):
    """An instruction with its addresses in place of indexes; ``where`` names it."""

    where: str
    program: bytes
    accounts: Sequence[bytes]
    data: bytes


class Move(NamedTuple):
    """A transfer; ``source`` is the account it comes from if not the signer's own."""

    action: str
    transfer: Transfer
    source: str | None = None


def move(call: Call, signer: bytes) -> Move:
    """Read the transfer of a message.

    Raises:
        PayloadError: it is another instruction, or its funds are not the signer's to move.
    """
    if call.program == SYSTEM:
        return _system(call, signer)
    if call.program in {TOKEN, TOKEN_2022}:
        return _token(call, signer)
    detail = f"{address.text(call.program)} is not a program that is known here"
    raise _unsupported(call.where, detail)


def _system(call: Call, signer: bytes) -> Move:
    if call.data[:4] != _SYSTEM_TRANSFER:
        raise _unsupported(call.where, "is not a transfer of the System program")
    _shape(call, size=12, accounts=2)
    source, destination = call.accounts
    _signed_by(signer, source, call.where)
    amount = int.from_bytes(call.data[4:], "little")
    moved = Transfer(SOL, amount, address.text(destination), decimals=SOL_DECIMALS)
    return Move(TRANSFER, moved)


def _token(call: Call, signer: bytes) -> Move:
    if call.data[:1] == bytes((_TRANSFER,)):
        raise _unsupported(call.where, "Transfer names no mint; use TransferChecked")
    if call.data[:1] != bytes((_TRANSFER_CHECKED,)):
        raise _unsupported(call.where, "is not TransferChecked of a token program")
    _shape(call, size=10, accounts=4)  # more accounts are a hook's or other signers
    source, mint, destination, owner = call.accounts
    _signed_by(signer, owner, call.where)
    own = source == address.token_account(signer, call.program, mint)
    moved = Transfer(
        f"{CHAIN}/token:{address.text(mint)}",
        int.from_bytes(call.data[1:9], "little"),
        address.text(destination),
        decimals=call.data[9],
    )
    return Move(TOKEN_TRANSFER, moved, None if own else address.text(source))


def fee(calls: Sequence[Call]) -> int:
    """Return the most lamports that a message with these budget calls may cost.

    Raises:
        PayloadError: one is not a budget's limit or price, or stands there twice.
    """
    values: dict[int, int] = {}
    for call in calls:
        kind, value = _budget(call)
        if kind in values:
            raise PayloadError(Code.PAYLOAD_MALFORMED, call.where, "stands there twice")
        values[kind] = value
    units = min(values.get(_UNIT_LIMIT, MAX_UNITS), MAX_UNITS)
    return SIGNATURE_FEE + -(-units * values.get(_UNIT_PRICE, 0) // MICRO)  # rounded up


def _budget(call: Call) -> tuple[int, int]:
    kind = call.data[0] if call.data else 0
    if kind not in _BUDGET_SIZES:
        raise _unsupported(call.where, "is not a limit or a price of compute units")
    _shape(call, size=_BUDGET_SIZES[kind], accounts=0)
    return kind, int.from_bytes(call.data[1:], "little")


def _shape(call: Call, *, size: int, accounts: int) -> None:
    if (len(call.data), len(call.accounts)) != (size, accounts):
        detail = f"{len(call.data)} bytes and {len(call.accounts)} accounts"
        expected = f"this one has {size} bytes and {accounts} accounts"
        raise PayloadError(Code.PAYLOAD_MALFORMED, call.where, f"{detail}; {expected}")


def _signed_by(signer: bytes, account: bytes, where: str) -> None:
    if account != signer:
        raise _unsupported(where, f"{address.text(account)} does not sign this message")


def _unsupported(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)
