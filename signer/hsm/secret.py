"""Reading a shared secret as exchanges hand them out; strict, so that no wrong one gets in."""

import base64
import binascii
import re
from enum import StrEnum
from typing import Final

from signer.errors import ConfigError

_HEX: Final = re.compile(rb"([0-9a-fA-F]{2})+")
_TEXT_LINE: Final = re.compile(rb"[\x20-\x7e]+\r?\n")


class Encoding(StrEnum):
    """How a secret is written down."""

    HEX = "hex"
    BASE64 = "base64"  # RFC 4648, section 4, with its padding
    RAW = "raw"  # the very bytes, as with secrets that are used as ASCII text


def decode_secret(content: bytes, encoding: Encoding) -> bytes:
    """Decode a secret; of hex and base64, one line end is dropped.

    Raises:
        ConfigError: it is not in this encoding; the message holds nothing of it.
    """
    if encoding is Encoding.RAW:
        return _raw(content)
    line = content.removesuffix(b"\n")
    return _hex(line) if encoding is Encoding.HEX else _base64(line)


def _hex(line: bytes) -> bytes:
    if not _HEX.fullmatch(line):
        raise ConfigError("the secret is not hex: needs pairs of 0-9, a-f and nothing else")
    return bytes.fromhex(line.decode("ascii"))


def _base64(line: bytes) -> bytes:
    try:
        secret = base64.b64decode(line, validate=True)
    except binascii.Error:
        secret = b""
    if not secret or base64.b64encode(secret) != line:
        raise ConfigError("the secret is not canonical base64 (RFC 4648, section 4)")
    return secret


def _raw(content: bytes) -> bytes:
    if _TEXT_LINE.fullmatch(content):
        raise ConfigError("the raw secret ends with a line end: take it off, every byte counts")
    return content
