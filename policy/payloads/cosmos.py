"""``cosmos.signdoc``: a transfer on a chain of the Cosmos SDK, in direct mode.

Documented in ``docs/cosmos.signdoc.md``. The payload is the ``SignDoc`` of ADR-020,
whose SHA-256 hash is signed, in the one encoding of ADR-027 that ``protobuf`` takes.

Invariant: any bytes give facts or ``PayloadError``, nothing else.
"""

import re

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Role, Transfer
from policy.payloads import protobuf
from policy.payloads.protobuf import Message, Schema
from policy.reasons import Code, PayloadError

TAG = "cosmos.signdoc"
TRANSFER = "cosmos.transfer"
MAX_BYTES = 2048
MAX_AMOUNT = 2**256 - 1

_SIGN_DOC: Schema = {
    1: bytes,
    2: bytes,
    3: bytes,
    4: int,
}  # body, auth info, chain id, account number
_BODY: Schema = {1: bytes, 2: bytes, 3: int}  # message, memo, timeout height
_ANY: Schema = {1: bytes, 2: bytes}
_SEND: Schema = {1: bytes, 2: bytes, 3: bytes}  # from, to, coin
_COIN: Schema = {1: bytes, 2: bytes}
_AUTH_INFO: Schema = {1: bytes, 2: bytes}  # signer, fee
_SIGNER: Schema = {1: bytes, 2: bytes, 3: int}  # public key, mode, sequence
_FEE: Schema = {1: bytes, 2: int}  # coin, gas limit; nobody else pays
_PUBLIC_KEY: Schema = {1: bytes}

_SEND_URL = b"/cosmos.bank.v1beta1.MsgSend"
_KEY_URL = b"/cosmos.crypto.secp256k1.PubKey"
_DIRECT = bytes((10, 2, 8, 1))  # ModeInfo: single, SIGN_MODE_DIRECT

_CHAIN = re.compile(rb"[-a-zA-Z0-9_]{1,32}")  # what CAIP-2 takes
_DENOM = re.compile(rb"[a-zA-Z][a-zA-Z0-9._-]{2,31}")  # no slash: no name of an asset has one
_AMOUNT = re.compile(rb"[1-9][0-9]{0,77}")
_ADDRESS = re.compile(rb"[a-z]{1,20}1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{38,58}")  # BIP-173
_MEMO = re.compile(rb"[!-~]{0,40}")
_COMPRESSED = re.compile(rb"[\x02\x03].{32}", re.DOTALL)


def decode(payload: bytes) -> Decoded:
    """Read a sign document.

    Raises:
        PayloadError: it is not one, not canonical, or does more than one transfer.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "signdoc", detail)
    document = protobuf.decode(payload, _SIGN_DOC, "signdoc")
    chain = _text(_CHAIN, document.data(3), "signdoc.chain_id")
    body = protobuf.decode(document.data(1), _BODY, "signdoc.body")
    send = _any(body.data(1), _SEND_URL, _SEND, "signdoc.body.message")
    where = "signdoc.body.message"
    source = _text(_ADDRESS, send.data(1), f"{where}.from")
    asset, amount = _coin(send.data(3), chain, f"{where}.amount")
    sequence, fees = _auth_info(document.data(2), chain)
    moved = Transfer(asset, amount, _destination(send, body), decimals=0)
    facts = Facts(TRANSFER, (moved, *fees), source=source, nonce=str(sequence))
    return Decoded(facts, payload)


def _destination(send: Message, body: Message) -> str:
    """Return the address, with the memo that tells a custodian whose deposit it is."""
    address = _text(_ADDRESS, send.data(2), "signdoc.body.message.to")
    memo = _text(_MEMO, body.data(2), "signdoc.body.memo")
    return f"{address}#{memo}" if memo else address


def _auth_info(data: bytes, chain: str) -> tuple[int, tuple[Transfer, ...]]:
    """Return the sequence and the fee of the one signer, who signs in direct mode."""
    where = "signdoc.auth_info"
    info = protobuf.decode(data, _AUTH_INFO, where)
    signer = protobuf.decode(info.data(1), _SIGNER, f"{where}.signer")
    key = _any(signer.data(1), _KEY_URL, _PUBLIC_KEY, f"{where}.signer.public_key")
    if not _COMPRESSED.fullmatch(key.data(1)):
        raise _malformed(f"{where}.signer.public_key", "is not a compressed secp256k1 point")
    if signer.data(2) != _DIRECT:
        detail = "is not SIGN_MODE_DIRECT of one signer"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, f"{where}.signer.mode_info", detail)
    fee = protobuf.decode(info.data(2), _FEE, f"{where}.fee")
    if not fee.data(1):
        return signer.number(3), ()
    asset, amount = _coin(fee.data(1), chain, f"{where}.fee.amount")
    return signer.number(3), (Transfer(asset, amount, None, Role.FEE, 0),)


def _any(data: bytes, url: bytes, schema: Schema, where: str) -> Message:
    wrapped = protobuf.decode(data, _ANY, where)
    if wrapped.data(1) != url:
        detail = f"{wrapped.data(1)[:80]!a} is not {url.decode()}"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, detail)
    return protobuf.decode(wrapped.data(2), schema, where)


def _coin(data: bytes, chain: str, where: str) -> tuple[str, int]:
    coin = protobuf.decode(data, _COIN, where)
    denom = _text(_DENOM, coin.data(1), f"{where}.denom")
    amount = int(_text(_AMOUNT, coin.data(2), f"{where}.amount"))
    if amount > MAX_AMOUNT:
        raise _malformed(f"{where}.amount", "is above 2^256 - 1")
    return f"{denom}@cosmos:{chain}", amount


def _text(grammar: re.Pattern[bytes], data: bytes, where: str) -> str:
    if grammar.fullmatch(data):
        return data.decode("ascii")
    raise _malformed(where, f"{data[:80]!a} is not {grammar.pattern.decode()}")


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({TRANSFER}),
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
)
