"""The grammar of the strings in a policy document.

Each function returns its text unchanged, or what it means, or raises
``ValueError`` with a message that says what would be right. There is one
spelling of everything: what differs only in case, in look-alike characters or
in spaces is refused, since it would name something else or nothing.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from policy import base58, bech32
from policy.keccak import keccak256

MAX_SPAN_MS = 366 * 86_400_000

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_URI = re.compile(r"[a-z][a-z0-9+.-]*://[!-)+-~]+|urn:[!-)+-~]+", re.ASCII)  # no asterisk
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS = re.compile(rf"{_LABEL}(\.{_LABEL})+", re.ASCII)
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WORD = re.compile(r"[!-~]{1,64}", re.ASCII)
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_ADDRESS = re.compile(r"[!-~]{1,128}", re.ASCII)
_ETHEREUM = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_TRON = 0x41  # what an address begins with (TRON protocol, "Account")
_TRON_LENGTH, _SOLANA_LENGTH = 21, 32
_MAX_TEXT = 255
_SHOWN = 40  # characters of what is refused; one may take ten in a message


def name(text: str) -> str:
    """Check the name of a key, a grant or an address set.

    Raises:
        ValueError: it is not such a name.
    """
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a name: 1 to 63 of a-z, 0-9 and inner hyphens, like wd-usdc"
        )
    return text


def label(text: str) -> str:
    """Check what an address is called by people.

    Raises:
        ValueError: it is empty, long or not printable.
    """
    if not (0 < len(text) <= _MAX_TEXT and text.isprintable()):
        raise ValueError(f"a label is 1 to {_MAX_TEXT} printable characters")
    return text


def san(text: str) -> str:
    """Check a caller: one whole subject alternative name, a URI or a DNS name.

    Raises:
        ValueError: it is a wildcard, has a foreign character or is neither.
    """
    if "*" in text:
        raise ValueError(f"{text!r} has a wildcard; name each caller in full")
    if not text.isascii():
        foreign = next(character for character in text if not character.isascii())
        raise ValueError(f"{text!a} has the character U+{ord(foreign):04X}; callers are ASCII")
    if len(text) > _MAX_TEXT or not (_URI.fullmatch(text) or _DNS.fullmatch(text)):
        raise ValueError(
            f"{text!r} is not a caller; write the certificate's URI or DNS name in full, like "
            '"spiffe://firm.example/wallet" or "wallet.firm.example", in lower case and '
            "without spaces"
        )
    return text


def word(text: str) -> str:
    """Check a venue, a symbol or an order type, as its payload format spells it.

    Raises:
        ValueError: it is empty, long, or has a space or a foreign character.
    """
    if not _WORD.fullmatch(text):
        raise ValueError(f"{text[:_SHOWN]!a} is not a word: 1 to 64 ASCII characters, no spaces")
    return text


def span_ms(text: str) -> int:
    """Return the milliseconds of a span such as ``90s``, ``15m``, ``24h`` or ``7d``.

    Raises:
        ValueError: it is not a span, or longer than 366 days.
    """
    match = _SPAN.fullmatch(text)
    if not match:
        raise ValueError(f'{text!r} is not a span; write it like "90s", "15m", "24h" or "7d"')
    milliseconds = int(match[1]) * _UNIT_MS[match[2]]
    if milliseconds > MAX_SPAN_MS:
        raise ValueError(f"{text} is longer than 366d")
    return milliseconds


def instant_ms(text: str) -> int:
    """Return the milliseconds since the epoch of a time such as ``2027-01-31T00:00:00Z``.

    Raises:
        ValueError: it is not RFC 3339 in UTC, in whole seconds.
    """
    try:
        moment = datetime.strptime(text, _INSTANT).replace(tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None or moment.strftime(_INSTANT) != text or moment.timestamp() < 0:
        raise ValueError(f'{text!a} is not a time; write it in UTC, like "2027-01-31T00:00:00Z"')
    return int(moment.timestamp()) * 1000


def address(text: str) -> str:
    """Check a destination, in the one spelling that a decoder would give it.

    Raises:
        ValueError: it has spaces or foreign characters, or starts like an
            Ethereum address, or one of a witness program of Bitcoin, and is not
            one with its checksum (ERC-55, BIP-173, BIP-350).
    """
    if text[:2] in {"0x", "0X"}:
        return ethereum(text)
    if text[:3].lower() == f"{bech32.PREFIX}1":
        return bech32.check(text)
    if not _ADDRESS.fullmatch(text):
        raise ValueError(
            f"{text[:_SHOWN]!a} is not an address: 1 to 128 ASCII characters, no spaces"
        )
    return text


def destination(text: str) -> str:
    """Check where value may go: an address, or ``@`` and the name of a set.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("@"):
        name(text[1:])
        return text
    return address(text)


def ethereum(text: str) -> str:
    """Check an Ethereum address and its checksum (ERC-55).

    Raises:
        ValueError: it is not one; the message has the right spelling if there is one.
    """
    if not _ETHEREUM.fullmatch(text):
        raise ValueError(f"{text[:_SHOWN]!a} is not an Ethereum address: 0x and 40 hex digits")
    right = checksummed(text)
    if text != right:
        raise ValueError(f"{text} has a wrong checksum; after checking it, write {right}")
    return text


def tron(text: str) -> str:
    """Check a TRON address (Base58Check of 21 bytes).

    Raises:
        ValueError: it is not one.
    """
    if base58.decode_check(text, _TRON_LENGTH)[0] != _TRON:
        raise ValueError(f"{text[:_SHOWN]!a} is not a TRON address: it begins with T")
    return text


def solana(text: str) -> str:
    """Check a Solana address (32 bytes in base 58).

    Raises:
        ValueError: it is not one.
    """
    base58.decode(text, _SOLANA_LENGTH)
    return text


def is_ethereum(text: str) -> bool:
    """Whether it has the form of an Ethereum address, in whatever case."""
    return _ETHEREUM.fullmatch(text) is not None


@lru_cache(maxsize=4096)  # the same few accounts and contracts come again and again
def checksummed(text: str) -> str:
    """Return 0x and 40 hex digits in the case that ERC-55 gives them."""
    digits = text[2:].lower()
    nibbles = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if nibble > "7" else digit
        for digit, nibble in zip(digits, nibbles, strict=False)
    )
