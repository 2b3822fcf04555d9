"""Members of JSON objects: each reader returns a value of one shape or refuses it."""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from policy.payloads.exchange import grammar
from policy.reasons import Code, PayloadError

_CLIENT_ID = re.compile(r"0x[0-9a-f]{32}", re.ASCII)
_MILLISECONDS = range(10**12, 10**13)


def members(
    value: object, where: str, required: AbstractSet[str], optional: AbstractSet[str] = frozenset()
) -> dict[str, Any]:
    """Return an object with these members and no others."""
    if not isinstance(value, dict):
        raise malformed(where, "is not an object")
    if value.keys() == required:
        return value
    wrong = (required - value.keys()) | (value.keys() - required - optional)
    if wrong:
        name = min(wrong)
        problem = "is missing" if name in required else "is not taken here"
        raise malformed(where, f"{name[:40]!a} {problem}")
    return value


def only(value: object, where: str) -> object:
    """Return the one item of a list: batches are refused."""
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    raise malformed(where, "is not a list of exactly one")


def one_of(value: object, where: str, choices: Iterable[str]) -> str:
    """Return a string that is among the choices."""
    if isinstance(value, str) and value in choices:
        return value
    raise malformed(where, f"is not one of {', '.join(choices)}")


def integer(value: object, where: str, maximum: int) -> int:
    """Return an integer from 0 to the maximum."""
    if type(value) is int and 0 <= value <= maximum:
        return value
    raise malformed(where, f"is not an integer, 0 to {maximum}")


def milliseconds(value: object, where: str) -> int:
    """Return a time in milliseconds since the epoch, 13 digits."""
    if type(value) is int and value in _MILLISECONDS:
        return value
    raise malformed(where, "is not milliseconds since the epoch, 13 digits")


def boolean(value: object, where: str) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    raise malformed(where, "is not true or false")


def decimal(value: object, where: str) -> str:
    """Return a number above zero as the text that it is."""
    if isinstance(value, str) and grammar.DECIMAL.fullmatch(value):
        return value
    raise malformed(where, "is not a decimal above zero in its shortest form, as a string")


def client_id(value: object, where: str) -> str:
    """Return a client's order id, 16 bytes in hexadecimal."""
    if isinstance(value, str) and _CLIENT_ID.fullmatch(value):
        return value
    raise malformed(where, "is not 0x and 32 of 0-9 a-f")


def malformed(where: str, detail: str) -> PayloadError:
    """Return the refusal of a value of another shape."""
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)
