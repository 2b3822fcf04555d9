"""The objects on a token, and all that is wanted of each in one call.

python-pkcs11 makes three calls for an object that it finds and two for each attribute of it;
with very many keys that is most of a start.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from pkcs11 import Attribute

from signer.hsm.cryptoki import CkAttribute, Cryptoki
from signer.hsm.errors import Ckr, TokenError

Template = Mapping[Attribute, int | bytes]
"""An int that is no bool is a CK_ULONG."""

ROOM: Final = 2048  # bytes for an attribute of any length: the modulus of the longest RSA key fits
# NSS keeps a CK_ULONG to itself when there is more room for it than it needs.
_ULONG: Final = ctypes.sizeof(ctypes.c_ulong)
_SIZES: Final[Mapping[Attribute, int]] = {
    Attribute.CLASS: _ULONG,
    Attribute.KEY_TYPE: _ULONG,
    Attribute.EXTRACTABLE: 1,
    Attribute.SENSITIVE: 1,
}
BATCH: Final = 1024  # handles a call
# PKCS#11 v2.40, section 5.7.5: after these, too, every attribute was looked at.
_COMPLETE: Final = frozenset(
    {Ckr.OK, Ckr.ATTRIBUTE_SENSITIVE, Ckr.ATTRIBUTE_TYPE_INVALID, Ckr.BUFFER_TOO_SMALL}
)


def find(
    cryptoki: Cryptoki, session: int, template: Template, attributes: Sequence[Attribute]
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the handle of each object that fits, and its attributes.

    One that the object has not, or the token does not tell, is empty.

    Raises:
        TokenError: as the token says.
    """
    values = _Values(cryptoki, session, attributes)
    for handle in _handles(cryptoki, session, template):
        yield handle, values.of(handle)


def _handles(cryptoki: Cryptoki, session: int, template: Template) -> list[int]:
    found: list[int] = []
    batch, count = (ctypes.c_ulong * BATCH)(), ctypes.c_ulong()
    with _search(cryptoki, session, template):
        while True:
            _check(cryptoki.find_objects(session, batch, BATCH, count))
            if not count.value:
                return found
            found += batch[: count.value]


@contextmanager
def _search(cryptoki: Cryptoki, session: int, template: Template) -> Iterator[None]:
    raw = [encoded(value) for value in template.values()]
    fields = (CkAttribute * len(raw))()
    for field, attribute, value in zip(fields, template, raw, strict=True):
        field.type, field.length = attribute, len(value)
        field.value = ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p)
    _check(cryptoki.find_objects_init(session, fields, len(raw)))
    try:
        yield
    finally:
        cryptoki.find_objects_final(session)


def encoded(value: int | bytes) -> bytes:
    """Return a value as the token has it."""
    if isinstance(value, bytes):
        return value
    return bytes([value]) if isinstance(value, bool) else bytes(ctypes.c_ulong(value))


class _Values:
    """Room for the attributes of one object after the other."""

    def __init__(self, cryptoki: Cryptoki, session: int, attributes: Sequence[Attribute]) -> None:
        self._cryptoki = cryptoki
        self._session = session
        self._sizes = [_SIZES.get(attribute, ROOM) for attribute in attributes]
        self._rooms = [ctypes.create_string_buffer(size) for size in self._sizes]
        self._addresses = [ctypes.addressof(room) for room in self._rooms]
        self._fields = (CkAttribute * len(attributes))()
        for field, attribute, address in zip(
            self._fields, attributes, self._addresses, strict=True
        ):
            field.type, field.value = attribute, address

    def of(self, handle: int) -> list[bytes]:
        for field, size in zip(self._fields, self._sizes, strict=True):
            field.length = size
        code = self._cryptoki.attributes(self._session, handle, self._fields, len(self._fields))
        if code not in _COMPLETE:
            raise TokenError(code, began=False)
        return [
            # CK_UNAVAILABLE_INFORMATION, or, from some tokens, the room that it wants.
            b"" if field.length > size else ctypes.string_at(address, field.length)
            for field, size, address in zip(self._fields, self._sizes, self._addresses, strict=True)
        ]


def _check(code: int) -> None:
    if code != Ckr.OK:
        raise TokenError(code, began=False)
