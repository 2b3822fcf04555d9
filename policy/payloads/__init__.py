"""Payload formats: bytes to facts, one module a format.

A new format is a module with a ``FORMAT`` and one line in ``FORMATS``. Tags and
actions are stable: they stand in policies and in audit records.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from policy.model import Decoded, Format
from policy.payloads import (
    binance,
    bitcoin,
    bitmex,
    bybit,
    coinbase,
    cosmos,
    deribit,
    ethereum,
    hyperliquid,
    intent,
    intent_cose,
    intent_jws,
    kraken,
    logon,
    okx,
    solana,
    tron,
)
from policy.reasons import Code, PayloadError

MAX_BYTES = 256 * 1024


def registry(formats: Iterable[Format]) -> Mapping[str, Format]:
    """Return the formats by tag.

    Raises:
        ValueError: a tag or an action is taken already.
    """
    by_tag: dict[str, Format] = {}
    actions: dict[str, str] = {}
    for item in formats:
        if item.tag in by_tag:
            raise ValueError(f"the tag {item.tag} is taken")
        for action in item.actions:
            if action in actions:
                raise ValueError(f"the action {action} is taken by {actions[action]}")
            actions[action] = item.tag
        by_tag[item.tag] = item
    return MappingProxyType(by_tag)


FORMATS = registry(
    (
        binance.FORMAT,
        bitcoin.FORMAT,
        bitmex.FORMAT,
        bybit.FORMAT,
        coinbase.FORMAT,
        cosmos.FORMAT,
        deribit.FORMAT,
        ethereum.FORMAT,
        ethereum.message.FORMAT,
        ethereum.typed_data.FORMAT,
        hyperliquid.action.FORMAT,
        hyperliquid.transfer.FORMAT,
        intent.FORMAT,
        intent_cose.FORMAT,
        intent_jws.FORMAT,
        kraken.FORMAT,
        logon.FORMAT,
        okx.FORMAT,
        solana.FORMAT,
        tron.FORMAT,
    )
)


def decode(tag: str, payload: bytes, *, max_bytes: int = MAX_BYTES) -> Decoded:
    """Decode a payload of the named format.

    Raises:
        PayloadError: there is no such format, or its decoder refuses the payload.
    """
    found = FORMATS.get(tag)
    if found is None:
        detail = f"{tag[:64]!a} is none of the {len(FORMATS)} payload formats"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "payload_format", detail)
    if len(payload) > max_bytes:
        detail = f"{len(payload)} bytes; at most {max_bytes} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "payload", detail)
    return found.decode(payload)
