"""``ethereum.transaction``: an unsigned transaction of type 0, 1 or 2.

The payload is exactly what the signature covers: the nine-item list of EIP-155,
or the type byte and list of EIP-2930 or EIP-1559, without signature fields.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and what is
accepted is the only encoding of what it means. RLP is checked to be canonical
item by item (``rlp``), so encoding the items again gives the payload.

Gas is spending: the fee of the facts is the most that the transaction may burn,
the gas limit times the highest price.
"""

from dataclasses import dataclass

from policy.algorithms import Algorithm, Digest
from policy.amounts import MAX_AMOUNT
from policy.assets import native_ref
from policy.model import Decoded, Facts, Format, Role, Transfer
from policy.payloads.ethereum import address, erc20, rlp
from policy.reasons import Code, PayloadError

TAG = "ethereum.transaction"
NATIVE_TRANSFER = "native.transfer"
ACCESS_LIST, DYNAMIC_FEE = 0x01, 0x02  # EIP-2718 types: EIP-2930, EIP-1559
LEGACY_ITEMS, ACCESS_LIST_ITEMS, DYNAMIC_FEE_ITEMS = 9, 8, 9
PRE_EIP_155_ITEMS = 6
FIRST_LIST = rlp.LIST

# Every call that is read has at most 100 bytes of data; the rest is an access list, here of
# up to 470 keys. Hostile RLP costs a microsecond a byte, so more of it is not read.
MAX_BYTES = 16 * 1024
UINT64, UINT256 = 2**64 - 1, MAX_AMOUNT
MAX_NONCE = 2**64 - 2  # EIP-2681
MAX_CHAIN_ID = 2**63 - 19  # so that the v of EIP-155, 2 * chain id + 36, fits 64 bits
STORAGE_KEY = 32


@dataclass(frozen=True, slots=True)
class Transaction:
    """The fields that all types share; ``gas_price`` is the highest price of a unit."""

    chain_id: int
    nonce: int
    gas_price: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes


def decode(payload: bytes) -> Decoded:
    """Read an unsigned transaction.

    Raises:
        PayloadError: it is not one, not canonical, or does what is not supported.
    """
    return Decoded(_facts(parse(payload)), payload, Digest.KECCAK256)


def parse(payload: bytes) -> Transaction:
    """Read the fields; raises as ``decode`` does."""
    if not payload:
        raise _malformed("transaction", "is empty")
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "transaction", detail)
    kind = payload[0]
    if kind >= FIRST_LIST:
        return _legacy(_items(payload))
    if kind == DYNAMIC_FEE:
        return _dynamic_fee(_items(payload[1:]))
    if kind == ACCESS_LIST:
        return _access_list(_items(payload[1:]))
    raise _unsupported("transaction.type", f"type 0x{kind:02x} is not 0, 1 or 2 (EIP-2718)")


def _items(encoded: bytes) -> list[rlp.Item]:
    items = rlp.decode(encoded, "transaction")
    if isinstance(items, list):
        return items
    raise _malformed("transaction", "is not a list")


def _legacy(items: list[rlp.Item]) -> Transaction:
    if len(items) == PRE_EIP_155_ITEMS:
        raise _unsupported("transaction.chain_id", "none: it could be replayed on any chain")
    _count(items, LEGACY_ITEMS, "0")
    nonce, gas_price, gas_limit, to, value, data, chain_id, r, s = items
    if _scalar(r, "transaction.r") or _scalar(s, "transaction.s"):  # EIP-155: both are zero
        raise _unsupported("transaction.r", "the transaction is signed already")
    return _transaction(chain_id, nonce, gas_price, gas_limit, to, value, data)


def _access_list(items: list[rlp.Item]) -> Transaction:
    _count(items, ACCESS_LIST_ITEMS, "1")
    chain_id, nonce, gas_price, gas_limit, to, value, data, access_list = items
    _check_access_list(access_list)
    return _transaction(chain_id, nonce, gas_price, gas_limit, to, value, data)


def _dynamic_fee(items: list[rlp.Item]) -> Transaction:
    _count(items, DYNAMIC_FEE_ITEMS, "2")
    chain_id, nonce, priority_fee, max_fee, gas_limit, to, value, data, access_list = items
    _check_access_list(access_list)
    transaction = _transaction(chain_id, nonce, max_fee, gas_limit, to, value, data)
    where = "transaction.max_priority_fee_per_gas"
    if _scalar(priority_fee, where) > transaction.gas_price:
        raise _malformed(where, "is above max_fee_per_gas (EIP-1559)")
    return transaction


def _transaction(
    chain_id: rlp.Item,
    nonce: rlp.Item,
    gas_price: rlp.Item,
    gas_limit: rlp.Item,
    to: rlp.Item,
    value: rlp.Item,
    data: rlp.Item,
) -> Transaction:
    transaction = Transaction(
        rlp.integer(chain_id, "transaction.chain_id", MAX_CHAIN_ID),
        rlp.integer(nonce, "transaction.nonce", MAX_NONCE),
        _scalar(gas_price, "transaction.gas_price"),
        rlp.integer(gas_limit, "transaction.gas_limit", UINT64),
        _string(to, "transaction.to"),
        _scalar(value, "transaction.value"),
        _string(data, "transaction.data"),
    )
    if not transaction.chain_id:
        raise _unsupported("transaction.chain_id", "zero: it could be replayed on any chain")
    if not transaction.to:
        raise _unsupported("transaction.to", "empty: creates a contract")
    if len(transaction.to) != address.LENGTH:
        raise _malformed("transaction.to", f"{len(transaction.to)} bytes, not {address.LENGTH}")
    if transaction.to == address.ZERO:
        raise _unsupported("transaction.to", "the zero address")
    return transaction


def _scalar(item: rlp.Item, where: str) -> int:
    return rlp.integer(item, where, UINT256)


def _string(item: rlp.Item, where: str) -> bytes:
    if isinstance(item, list):
        raise _malformed(where, "a list where bytes belong")
    return item


def _count(items: list[rlp.Item], expected: int, kind: str) -> None:
    if len(items) == expected + 3 and kind != "0":
        raise _unsupported("transaction.r", "the transaction is signed already")
    if len(items) != expected:
        raise _malformed("transaction", f"type {kind} has {expected} items, not {len(items)}")


def _check_access_list(item: rlp.Item) -> None:
    """Check the shape that EIP-2930 gives: [[address, [storage key, …]], …]."""
    where = "transaction.access_list"
    for entry in _list(item, where):
        match entry:
            case [bytes() as account, list() as keys] if len(account) == address.LENGTH:
                if not all(isinstance(key, bytes) and len(key) == STORAGE_KEY for key in keys):
                    raise _malformed(where, f"a storage key has {STORAGE_KEY} bytes")
            case _:
                raise _malformed(where, "an entry is an address and a list of storage keys")


def _list(item: rlp.Item, where: str) -> list[rlp.Item]:
    if isinstance(item, list):
        return item
    raise _malformed(where, "bytes where a list belongs")


def _facts(transaction: Transaction) -> Facts:
    native = native_ref(transaction.chain_id)
    call = _call(transaction)
    if call is None:
        destination = address.text(transaction.to)
        moved = Transfer(native, transaction.value, destination)
    else:
        token = f"eip155:{transaction.chain_id}/erc20:{address.text(transaction.to)}"
        moved = Transfer(token, call.amount, call.destination, call.role)
    fee = _fee(transaction)
    return Facts(
        action=call.action if call else NATIVE_TRANSFER,
        transfers=(moved, Transfer(native, fee, None, Role.FEE)) if fee else (moved,),
        chain_id=transaction.chain_id,
        source=call.source if call else None,
        nonce=str(transaction.nonce),
    )


def _fee(transaction: Transaction) -> int:
    """Return the most that gas may cost, in base units of the chain's own coin."""
    fee = transaction.gas_limit * transaction.gas_price
    if fee > UINT256:  # Yellow Paper, 6.2: no balance could pay the up-front cost
        raise _malformed("transaction.gas_limit", "at its price is above 2^256 - 1")
    return fee


def _call(transaction: Transaction) -> erc20.Call | None:
    """Read the token call; None for a plain transfer of the chain's own coin."""
    if not transaction.data:
        return None
    call = erc20.decode(transaction.data, "transaction.data")
    if transaction.value:
        raise _unsupported("transaction.value", f"value beside {call.action}, which takes none")
    return call


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


def _unsupported(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=erc20.ACTIONS | {NATIVE_TRANSFER},
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
)
