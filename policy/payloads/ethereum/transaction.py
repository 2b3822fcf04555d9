"""``ethereum.transaction``: an unsigned transaction of type 0 to 4.

Documented in ``docs/ethereum.transaction.md``. The payload is exactly what the
signature covers: the nine-item list of EIP-155, or the type byte and list of EIP-2930,
EIP-1559, EIP-4844 or EIP-7702, without signature fields.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and what is
accepted is the only encoding of what it means. RLP is checked to be canonical
item by item (``rlp``), so encoding the items again gives the payload.

Gas is spending: the fee of the facts is the most that the transaction may burn,
the gas limit times the highest price.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from policy.algorithms import Algorithm, Digest
from policy.amounts import MAX_AMOUNT
from policy.assets import native_ref
from policy.model import Decoded, Facts, Format, Role, Transfer
from policy.payloads.ethereum import address, calls, rlp
from policy.reasons import Code, PayloadError

TAG = "ethereum.transaction"
BLOB_TRANSFER, SET_CODE = "ethereum.blob", "ethereum.set-code"
# EIP-2718 types: EIP-2930, EIP-1559, EIP-4844, EIP-7702
ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE_TYPE = 0x01, 0x02, 0x03, 0x04
LEGACY_ITEMS, ACCESS_LIST_ITEMS, DYNAMIC_FEE_ITEMS, BLOB_ITEMS, SET_CODE_ITEMS = 9, 8, 9, 11, 10
PRE_EIP_155_ITEMS = 6
FIRST_LIST = rlp.LIST

# Every call that is read has at most 516 bytes of data; the rest is an access list, here of
# up to 460 keys. Hostile RLP costs a microsecond a byte, so more of it is not read.
MAX_BYTES = 16 * 1024
UINT64, UINT256 = 2**64 - 1, MAX_AMOUNT
MAX_NONCE = 2**64 - 2  # EIP-2681
MAX_CHAIN_ID = 2**63 - 19  # so that the v of EIP-155, 2 * chain id + 36, fits 64 bits
STORAGE_KEY = 32
BLOB_HASH, BLOB_VERSION = 32, 0x01  # EIP-4844, "Helpers"
GAS_PER_BLOB = 2**17
MAX_BLOBS = 6  # EIP-7594, of one transaction
MAX_AUTHORIZATIONS = 16
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Transaction(NamedTuple):
    """The fields that all types share; ``gas_price`` is the highest price of a unit.

    ``blob_fee`` is the most that blobs may cost; ``delegates`` are the contracts whose
    code accounts take on. Either has an ``action`` of its own.
    """

    chain_id: int
    nonce: int
    gas_price: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes
    action: str | None = None
    blob_fee: int = 0
    delegates: tuple[bytes, ...] = ()


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
    reader = _READERS.get(kind)
    if reader is None:
        raise _unsupported("transaction.type", f"type 0x{kind:02x} is not 0 to 4 (EIP-2718)")
    return reader(_items(payload[1:]))


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
    return _with_fees(items)


def _with_fees(items: list[rlp.Item]) -> Transaction:
    """Read the nine items that EIP-1559 begins its lists with."""
    chain_id, nonce, priority_fee, max_fee, gas_limit, to, value, data, access_list = items
    _check_access_list(access_list)
    transaction = _transaction(chain_id, nonce, max_fee, gas_limit, to, value, data)
    where = "transaction.max_priority_fee_per_gas"
    if _scalar(priority_fee, where) > transaction.gas_price:
        raise _malformed(where, "is above max_fee_per_gas (EIP-1559)")
    return transaction


def _blob(items: list[rlp.Item]) -> Transaction:
    _count(items, BLOB_ITEMS, "3")
    where = "transaction.blob_versioned_hashes"
    hashes = _list(items[10], where)
    if not 1 <= len(hashes) <= MAX_BLOBS:
        raise _malformed(where, f"{len(hashes)} hashes, not 1 to {MAX_BLOBS}")
    for item in hashes:
        if len(item) != BLOB_HASH or not isinstance(item, bytes) or item[0] != BLOB_VERSION:
            raise _malformed(where, "a hash has 32 bytes and begins with 0x01 (EIP-4844)")
    price = _scalar(items[9], "transaction.max_fee_per_blob_gas")
    blob_fee = price * GAS_PER_BLOB * len(hashes)
    return _alone(_with_fees(items[:9])._replace(action=BLOB_TRANSFER, blob_fee=blob_fee))


def _set_code(items: list[rlp.Item]) -> Transaction:
    _count(items, SET_CODE_ITEMS, "4")
    transaction = _with_fees(items[:9])
    where = "transaction.authorization_list"
    found = _list(items[9], where)
    if not 1 <= len(found) <= MAX_AUTHORIZATIONS:
        raise _malformed(where, f"{len(found)} authorisations, not 1 to {MAX_AUTHORIZATIONS}")
    delegates = tuple(
        _delegate(item, transaction.chain_id, f"{where}[{index}]")
        for index, item in enumerate(found)
    )
    return _alone(transaction._replace(action=SET_CODE, delegates=delegates))


def _delegate(item: rlp.Item, chain_id: int, where: str) -> bytes:
    """Return the contract of an authorisation (EIP-7702, "Parameters").

    Who signed it is not looked at: it is not this key, which signs no authorisations.
    """
    match item:
        case [chain, bytes() as contract, nonce, y_parity, r, s] if len(contract) == address.LENGTH:
            if rlp.integer(chain, f"{where}.chain_id", UINT256) != chain_id:
                raise _unsupported(f"{where}.chain_id", "is not that of the transaction")
            rlp.integer(nonce, f"{where}.nonce", MAX_NONCE)
            rlp.integer(y_parity, f"{where}.y_parity", 1)
            if not _scalar(r, f"{where}.r") or not rlp.integer(s, f"{where}.s", HALF_ORDER):
                raise _malformed(where, "has no signature")
            return contract
    detail = "is not a chain id, an address, a nonce, a parity, r and s"
    raise _malformed(where, detail)


def _alone(transaction: Transaction) -> Transaction:
    """Refuse a call: the action says what the type does, not what a call would do."""
    if transaction.data:
        raise _unsupported("transaction.data", f"a call beside {transaction.action}")
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
                _check_storage_keys(keys, where)
            case _:
                raise _malformed(where, "an entry is an address and a list of storage keys")


def _check_storage_keys(keys: list[rlp.Item], where: str) -> None:
    if not (set(map(type, keys)) <= {bytes} and set(map(len, keys)) <= {STORAGE_KEY}):
        raise _malformed(where, f"a storage key has {STORAGE_KEY} bytes")


def _list(item: rlp.Item, where: str) -> list[rlp.Item]:
    if isinstance(item, list):
        return item
    raise _malformed(where, "bytes where a list belongs")


def _facts(transaction: Transaction) -> Facts:
    effect = calls.effect(
        transaction.chain_id, transaction.to, transaction.value, transaction.data, "transaction"
    )
    native = native_ref(transaction.chain_id)
    fee = _fee(transaction)
    moved = [effect.transfer] if effect.transfer else []
    moved += [
        Transfer(native, 0, address.text(contract), Role.ALLOWANCE)
        for contract in transaction.delegates
    ]
    if fee:
        moved.append(Transfer(native, fee, None, Role.FEE))
    return Facts(
        action=transaction.action or effect.action,
        transfers=tuple(moved),
        chain_id=transaction.chain_id,
        source=effect.source,
        nonce=str(transaction.nonce),
        call=effect.call,
    )


def _fee(transaction: Transaction) -> int:
    """Return the most that gas may cost, in base units of the chain's own coin."""
    fee = transaction.gas_limit * transaction.gas_price + transaction.blob_fee
    if fee > UINT256:  # Yellow Paper, 6.2: no balance could pay the up-front cost
        raise _malformed("transaction.gas_limit", "at its price is above 2^256 - 1")
    return fee


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


def _unsupported(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)


_READERS: Mapping[int, Callable[[list[rlp.Item]], Transaction]] = {
    ACCESS_LIST: _access_list,
    DYNAMIC_FEE: _dynamic_fee,
    BLOB: _blob,
    SET_CODE_TYPE: _set_code,
}
FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=calls.ACTIONS | {BLOB_TRANSFER, SET_CODE},
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
    on_chain=True,
    pays_gas=True,
    calls=True,
)
