"""Decimal text to integer base units and back, exactly: no float, no rounding."""

import re

MAX_AMOUNT = 2**256 - 1  # the largest uint256: no chain or ledger holds more
MAX_DECIMALS = 36

_TEXT = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_MAX_LENGTH = 120  # 78 digits, a point, 36 decimals; int() is quadratic on long text


def check(text: str) -> str:
    """Return ``text`` if it is written like an amount.

    Raises:
        ValueError: it is not digits, with or without a point and more digits.
    """
    if len(text) > _MAX_LENGTH or not _TEXT.fullmatch(text):
        raise ValueError(
            f'{text[:_MAX_LENGTH]!r} is not an amount; write it like "50000" or "0.02"'
        )
    return text


def parse(text: str, decimals: int) -> int:
    """Return the amount in base units of an asset with ``decimals`` decimals.

    Raises:
        ValueError: it is not an amount, is finer than one base unit, or
            exceeds 2^256 - 1 base units.
    """
    whole, _, fraction = check(text).partition(".")
    if len(fraction) > decimals:
        raise ValueError(f"{text} has {len(fraction)} decimals; the asset has {decimals}")
    amount = int(whole + fraction.ljust(decimals, "0"))
    if amount > MAX_AMOUNT:
        raise ValueError(f"{text} is more than 2^256 - 1 base units")
    return amount


def rescale(amount: int, decimals: int | None, wanted: int) -> int:
    """Return an amount with ``decimals`` decimals in units of ``wanted`` decimals.

    Rounds up, so that a limit never counts too little. None: it has those already.
    """
    if decimals is None:
        return amount
    if wanted >= decimals:
        return int(amount * 10 ** (wanted - decimals))
    return -int(-amount // 10 ** (decimals - wanted))


def to_text(amount: int, decimals: int) -> str:
    """Return base units as decimal text, without trailing zeros: the inverse of ``parse``."""
    digits = str(amount).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
