"""JSON in the one encoding of RFC 8785 (JCS), for documents without fractions.

Invariant: writing what was read gives the payload, byte for byte.
Every JSON library here keeps the last of two equal members; this one refuses.
"""

import json
from typing import Annotated, Any, NoReturn

import msgspec

from policy.reasons import Code, PayloadError

MAX_INTEGER = 2**53 - 1  # RFC 7493, section 2.2: what every parser reads alike
LONGEST_INTEGER = len(str(-MAX_INTEGER))
# The parser recurses in C. What keeps its stack is Python's recursion limit, which any
# library may raise; so brackets are counted first, those within strings too.
MAX_BRACKETS = 256


def decode(payload: bytes) -> dict[str, Any]:
    """Read an object whose numbers are integers.

    Raises:
        PayloadError: it is not UTF-8, not JSON, not an object, has a doubled member
            at any depth, a fraction or an exponent, or is not in canonical form.
    """
    if payload.count(b"[") + payload.count(b"{") > MAX_BRACKETS:
        raise _malformed(f"nests too deep: more than {MAX_BRACKETS} brackets")
    document = _usual(payload)
    return _any(payload) if document is None else document


def _usual(payload: bytes) -> dict[str, Any] | None:
    """Read what ``_any`` would accept, in a fifth of the time; None says nothing about it.

    A doubled member is lost in reading, so that what is written has another length. The
    order is that of code points, which is the right one for ASCII alone.
    """
    if not payload.isascii():
        return None
    try:
        document: dict[str, Any] = _USUAL.decode(payload)
    except msgspec.DecodeError:  # which rule it breaks, _any says
        return None
    return document if msgspec.json.encode(document, order="sorted") == payload else None


def _any(payload: bytes) -> dict[str, Any]:
    try:
        document = _DECODER.decode(payload.decode())
        canonical = _ENCODER.encode(document).encode()
    except ValueError as error:  # also UnicodeError: not UTF-8, or a lone surrogate
        raise _malformed(f"is not strict JSON: {error}") from None
    if not isinstance(document, dict):
        raise _malformed("is not an object")
    if canonical != payload:
        raise PayloadError(
            Code.PAYLOAD_NOT_CANONICAL, "$", "is not in the canonical form of RFC 8785"
        )
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return dict(sorted(pairs, key=_utf16))


def _utf16(pair: tuple[str, Any]) -> bytes:
    # Section 3.2.3 sorts by UTF-16 code units, which Python's order is for ASCII alone.
    return pair[0].encode("utf-16-be")


def _integer(text: str) -> int:
    # The length first: int() of many digits takes a time that is not linear.
    if len(text) > LONGEST_INTEGER or abs(number := int(text)) > MAX_INTEGER:
        raise ValueError(f"a number is beyond {MAX_INTEGER}")
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is not an integer")


def _malformed(detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, "$", detail)


def _nested(depth: int) -> Any:
    """Return the type of a value in which lists and objects nest so deep."""
    whole = Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
    flat: Any = bool | whole | str | None
    if not depth:
        return flat
    inner = _nested(depth - 1)
    return flat | list[inner] | dict[str, inner]  # type: ignore[valid-type]  # made at run time


_USUAL = msgspec.json.Decoder(dict[str, _nested(5)])  # type: ignore[misc]  # made at run time
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_refuse, parse_constant=_refuse
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
