"""Writing again what a payload says, by libraries that share no code with the decoders.

Each takes a payload that its decoder accepted. What comes out is the one encoding of
what the library read in it, so that it must be the payload.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode

import cbor2
import rfc8785
import rlp
from btclib_wallet.psbt import Psbt
from solders.message import Message, MessageV0, to_bytes_versioned

from tests.policy.payloads_chains import messages

Write = Callable[[bytes], bytes]
LEGACY_RLP, VERSIONED = 0xC0, 0x80  # the first bytes from these on


def _json(payload: bytes) -> bytes:
    return rfc8785.dumps(json.loads(payload))


def _form(payload: bytes) -> bytes:
    *lines, text = payload.split(b"\n")
    pairs = parse_qsl(text.decode(), keep_blank_values=True, strict_parsing=True)
    return b"\n".join((*lines, urlencode(pairs).encode()))


def _json_request(payload: bytes) -> bytes:
    *lines, text = payload.split(b"\n")
    return b"\n".join((*lines, _json(text)))


def _token(payload: bytes) -> bytes:
    parts = (urlsafe_b64decode(part + b"==") for part in payload.split(b"."))
    return b".".join(urlsafe_b64encode(_json(part)).rstrip(b"=") for part in parts)


def _psbt(payload: bytes) -> bytes:
    return Psbt.parse(payload).serialize()


def _cbor(payload: bytes) -> bytes:
    *start, body = cbor2.loads(payload)
    return cbor2.dumps([*start, _json(body)], canonical=True)


def _transaction(payload: bytes) -> bytes:
    start = 0 if payload[0] >= LEGACY_RLP else 1
    return payload[:start] + bytes(rlp.encode(rlp.decode(payload[start:])))


def _solana(payload: bytes) -> bytes:
    if payload[0] < VERSIONED:
        return bytes(Message.from_bytes(payload))
    return to_bytes_versioned(MessageV0.from_bytes(payload[1:]))


def _lines(payload: bytes) -> bytes:
    return b"\n".join(line.strip() for line in payload.splitlines())


WRITTEN_AGAIN: Mapping[str, Write] = {
    "binance.request": _form,
    "bitcoin.psbt": _psbt,
    "bitmex.request": _form,
    "bybit.request": _json_request,
    "coinbase.jwt": _token,
    "cosmos.signdoc": messages.cosmos,
    "deribit.request": _form,
    "ethereum.message": lambda payload: payload.decode().encode(),
    "ethereum.transaction": _transaction,
    "ethereum.typed-data": _json,
    "hyperliquid.action": _json,
    "hyperliquid.transfer": _json,
    "intent": _json,
    "intent.cose": _cbor,
    "intent.jws": _token,
    "kraken.request": _form,
    "okx.request": _json_request,
    "solana.message": _solana,
    "tron.transaction": messages.tron,
    "venue.logon": _lines,
}
