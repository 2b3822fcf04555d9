"""``tron.transaction``: a transfer of TRX, or a transfer or approval of a TRC-20 token.

Documented in ``docs/tron.transaction.md``. The payload is the ``raw`` message of a
transaction, whose SHA-256 hash is signed (TRON protocol, "Transaction"), in the one
encoding that ``protobuf`` takes.

Invariant: any bytes give facts or ``PayloadError``, nothing else.
"""

from collections.abc import Mapping
from functools import lru_cache

from policy import base58
from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Role, Transfer
from policy.payloads import protobuf
from policy.payloads.ethereum import erc20
from policy.payloads.protobuf import Message, Schema
from policy.reasons import Code, PayloadError

TAG = "tron.transaction"
TRANSFER = "tron.transfer"
TOKEN_ACTIONS = {"erc20.transfer": "trc20.transfer", "erc20.approve": "trc20.approve"}

# A transaction names no chain: its reference block does, to who has seen it.
CHAIN = "tron:0x2b6653dc"
TRX, TRX_DECIMALS = f"TRX@{CHAIN}", 6
MAX_BYTES = 1024

# What the chain may burn beside the fee limit, in sun: by the byte of the transaction
# with its signature, and for a new account (chain parameters 3, 11 and 68).
BYTE_PRICE, SIGNATURE_BYTES, NEW_ACCOUNT = 1000, 69, 1_100_000

_RAW: Schema = {1: bytes, 4: bytes, 8: int, 11: bytes, 14: int, 18: int}
_BLOCK_BYTES, _BLOCK_HASH, _EXPIRATION, _CONTRACT, _FEE_LIMIT = 1, 4, 8, 11, 18
_WRAPPER: Schema = {1: int, 2: bytes}
_ANY: Schema = {1: bytes, 2: bytes}
_TRANSFER: Schema = {1: bytes, 2: bytes, 3: int}  # owner, to, amount
_TRIGGER: Schema = {1: bytes, 2: bytes, 4: bytes}  # owner, contract, data
_KINDS: Mapping[int, tuple[Schema, bytes]] = {
    1: (_TRANSFER, b"type.googleapis.com/protocol.TransferContract"),
    31: (_TRIGGER, b"type.googleapis.com/protocol.TriggerSmartContract"),
}
_TRANSFER_KIND = 1
_ADDRESS_PREFIX, _ADDRESS_LENGTH = 0x41, 21
_BLOCK_LENGTHS = (2, 8)


def decode(payload: bytes) -> Decoded:
    """Read a transaction's raw message.

    Raises:
        PayloadError: it is not one, not canonical, or does what is not supported.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "transaction", detail)
    raw = protobuf.decode(payload, _RAW, "transaction")
    if (len(raw.data(_BLOCK_BYTES)), len(raw.data(_BLOCK_HASH))) != _BLOCK_LENGTHS:
        raise _malformed("transaction.ref_block", "has 2 bytes and a hash of 8")
    expiration = raw.number(_EXPIRATION)
    if not expiration:
        raise _malformed("transaction.expiration", "is missing")
    kind, contract = _contract(raw.data(_CONTRACT))
    action, moved = _transfer(contract) if kind == _TRANSFER_KIND else _call(contract)
    fee = raw.number(_FEE_LIMIT) + BYTE_PRICE * (len(payload) + SIGNATURE_BYTES) + NEW_ACCOUNT
    facts = Facts(
        action,
        (moved, Transfer(TRX, fee, None, Role.FEE, TRX_DECIMALS)),
        source=address(contract.data(1), "transaction.owner"),
        expires_at=expiration // 1000,
    )
    return Decoded(facts, payload)


def assemble(payload: bytes, signature: bytes) -> bytes:
    """Return the signed transaction (``Tron.proto``, ``Transaction``), ready to broadcast.

    ``signature`` is r, s and the recovery id, 65 bytes.
    """
    return protobuf.encode({1: payload, 2: signature})


_text = lru_cache(maxsize=4096)(base58.encode_check)  # the same few come again and again


def address(data: bytes, where: str) -> str:
    """Return 21 bytes in Base58Check (TRON protocol, "Account").

    Raises:
        PayloadError: another length or another prefix.
    """
    if len(data) != _ADDRESS_LENGTH or data[0] != _ADDRESS_PREFIX:
        raise _malformed(where, "is not an address of 21 bytes with the prefix 0x41")
    return _text(data)


def _contract(data: bytes) -> tuple[int, Message]:
    where = "transaction.contract"
    wrapper = protobuf.decode(data, _WRAPPER, where)
    kind = wrapper.number(1)
    if kind not in _KINDS:
        detail = f"type {kind} is neither a transfer nor a call"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)
    schema, type_url = _KINDS[kind]
    parameter = protobuf.decode(wrapper.data(2), _ANY, where)
    if parameter.data(1) != type_url:
        raise _malformed(where, f"holds another message than type {kind} has")
    return kind, protobuf.decode(parameter.data(2), schema, where)


def _transfer(contract: Message) -> tuple[str, Transfer]:
    destination = address(contract.data(2), "transaction.to")
    return TRANSFER, Transfer(TRX, contract.number(3), destination, decimals=TRX_DECIMALS)


def _call(contract: Message) -> tuple[str, Transfer]:
    token = address(contract.data(2), "transaction.token")
    call = erc20.decode(contract.data(4), "transaction.data")
    action = TOKEN_ACTIONS.get(call.action)
    if action is None:
        detail = f"{call.action} moves funds of a third account"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "transaction.data", detail)
    account = bytes((_ADDRESS_PREFIX,)) + bytes.fromhex(call.destination[2:])
    destination = address(account, "transaction.data")
    return action, Transfer(f"{CHAIN}/trc20:{token}", call.amount, destination, call.role)


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({TRANSFER, *TOKEN_ACTIONS.values()}),
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
)
