"""Recursive Length Prefix, Yellow Paper appendix B: the canonical encoding only.

Invariant: ``encode(decode(data)) == data`` for whatever ``decode`` accepts, and
``decode`` takes time linear in the data's length.
"""

from policy.reasons import Code, PayloadError

Item = bytes | list["Item"]

STRING, LIST = 0x80, 0xC0
SHORT_STRING = STRING + 55  # the last prefix that holds its string's length
ENCODED_WORD, WORD_PREFIX = 33, STRING + 32  # a string of 32 bytes and its prefix
TOO_LONG = "an item is longer than what holds it"
MAX_DEPTH = 4  # an access list's storage keys lie this deep; nothing lies deeper


def decode(data: bytes, where: str) -> Item:
    """Decode one item that fills ``data`` exactly.

    Raises:
        PayloadError: it does not, is not in its shortest form, or nests too deep.
    """
    item, end = _item(data, 0, len(data), 0, where)
    if end != len(data):
        raise _malformed(where, f"{len(data) - end} bytes after the end")
    return item


def _item(data: bytes, at: int, limit: int, depth: int, where: str) -> tuple[Item, int]:
    if at >= limit:
        raise _malformed(where, "ends too early")
    prefix = data[at]
    if prefix < STRING:
        return data[at : at + 1], at + 1
    if prefix < LIST:
        start, end = _span(data, at, limit, prefix, STRING, where)
        if end - start == 1 and data[start] < STRING:
            raise _not_canonical(where, "a single byte below 0x80 has no prefix")
        return data[start:end], end
    start, end = _span(data, at, limit, prefix, LIST, where)
    if depth == MAX_DEPTH:
        raise _malformed(where, f"lists nest deeper than {MAX_DEPTH}")
    return _items(data, start, end, depth + 1, where), end


def _items(data: bytes, at: int, end: int, depth: int, where: str) -> list[Item]:
    """Decode what a list holds; short strings, which nearly all are, without a call for each."""
    items = _words(data, at, end)
    if items:
        return items
    while at < end:
        prefix = data[at]
        if prefix < STRING:
            items.append(data[at : at + 1])
            at += 1
        elif prefix <= SHORT_STRING and prefix != STRING + 1:
            start, at = at + 1, at + 1 + prefix - STRING
            if at > end:
                raise _malformed(where, TOO_LONG)
            items.append(data[start:at])
        else:
            item, at = _item(data, at, end, depth, where)
            items.append(item)
    return items


def _words(data: bytes, start: int, end: int) -> list[Item]:
    """Return the items where all are strings of 32 bytes, which hide no other item; else none.

    So it is with the storage keys of an access list, nearly all of a long transaction.
    """
    if (end - start) % ENCODED_WORD:
        return []
    firsts = data[start:end:ENCODED_WORD]
    if firsts.count(WORD_PREFIX) != len(firsts):
        return []
    return [data[at + 1 : at + ENCODED_WORD] for at in range(start, end, ENCODED_WORD)]


def _span(data: bytes, at: int, limit: int, prefix: int, base: int, where: str) -> tuple[int, int]:
    """Return where the content starts and ends (appendix B, equations 197 to 199)."""
    size, start = prefix - base, at + 1
    if size > 55:  # noqa: PLR2004 - the boundary of appendix B
        width = size - 55
        start += width
        if start > limit:
            raise _malformed(where, "ends within a length")
        size = int.from_bytes(data[at + 1 : start])
        if data[at + 1] == 0 or size <= 55:  # noqa: PLR2004 - the boundary of appendix B
            raise _not_canonical(where, "a length is not in its shortest form")
    if start + size > limit:
        raise _malformed(where, TOO_LONG)
    return start, start + size


def encode(item: Item) -> bytes:
    """Encode a byte string, or a list of items."""
    if isinstance(item, list):
        content = b"".join(map(encode, item))
        return _prefixed(content, LIST)
    if len(item) == 1 and item[0] < STRING:
        return item
    return _prefixed(item, STRING)


def extended(encoded: bytes, further: list[Item]) -> bytes:
    """Return an encoded list with further items at its end; what it has is not looked at."""
    start, end = _span(encoded, 0, len(encoded), encoded[0], LIST, "list")
    return _prefixed(encoded[start:end] + b"".join(map(encode, further)), LIST)


def _prefixed(content: bytes, base: int) -> bytes:
    size = len(content)
    if size <= 55:  # noqa: PLR2004 - the boundary of appendix B
        return bytes((base + size,)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((base + 55 + len(length),)) + length + content


def integer(item: Item, where: str, maximum: int) -> int:
    """Read a scalar: big-endian without leading zeros, zero is empty (Yellow Paper, 4.1).

    Raises:
        PayloadError: it is a list, has leading zeros, or is above ``maximum``.
    """
    if isinstance(item, list):
        raise _malformed(where, "a list where a number belongs")
    if item[:1] == b"\0":
        raise _not_canonical(where, "a number has leading zeros")
    number = int.from_bytes(item)
    if number > maximum:
        raise _malformed(where, f"is above {maximum}")
    return number


def scalar(number: int) -> bytes:
    """Return a number as a byte string without leading zeros."""
    return number.to_bytes((number.bit_length() + 7) // 8)


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


def _not_canonical(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
