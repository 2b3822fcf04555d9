"""A plain PKCS#11 client in a process of its own, which says every return code.

``with Clients.started() as clients: client = clients.client(...)``: each method call
runs in that process, in a thread of its own for each calling thread.
"""

import ctypes
import multiprocessing
import os
from collections.abc import Callable, Mapping
from ctypes import byref, c_char_p, c_ubyte, c_ulong, c_void_p, cast
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any, Final, Self

from tests.faulty.layout import FUNCTIONS

PRIVATE_KEY: Final = 3
PUBLIC_KEY: Final = 2
P256: Final = bytes.fromhex("06082a8648ce3d030107")
DIGEST: Final = bytes(range(32))
ROOM: Final = 256

_CLASS, _TOKEN, _PRIVATE, _LABEL = 0x000, 0x001, 0x002, 0x003
_SIGN, _EC_PARAMS, _EC_POINT = 0x108, 0x180, 0x181
_ECDSA, _EC_KEY_PAIR_GEN = 0x1041, 0x1040
_SERIAL_SESSION, _RW_SESSION, _OS_LOCKING_OK = 0x4, 0x2, 0x2
_USER = 1
_POINT = slice(2, 67)  # of CKA_EC_POINT, without its DER OCTET STRING

Answer = tuple[int, int]
"""A return code, and a number that counts only with CKR_OK."""


class _FunctionList(ctypes.Structure):
    _fields_ = (("version", c_ubyte * 2), ("functions", c_void_p * len(FUNCTIONS)))


class _Attribute(ctypes.Structure):
    _fields_ = (("type", c_ulong), ("value", c_void_p), ("length", c_ulong))


class _Mechanism(ctypes.Structure):
    _fields_ = (("mechanism", c_ulong), ("parameter", c_void_p), ("length", c_ulong))


class _InitializeArgs(ctypes.Structure):
    _fields_ = (("callbacks", c_void_p * 4), ("flags", c_ulong), ("reserved", c_void_p))


def _template(values: Mapping[int, int | bytes]) -> Any:
    attributes = (_Attribute * len(values))()
    for attribute, (kind, value) in zip(attributes, values.items(), strict=True):
        raw = value if isinstance(value, bytes) else _encoded(value)
        attribute.type, attribute.length = kind, len(raw)
        attribute.value = cast(c_char_p(raw), c_void_p)
    return attributes


def _encoded(value: int) -> bytes:
    return bytes([value]) if isinstance(value, bool) else bytes(c_ulong(value))


class Client:
    """The module's functions, few of their arguments fixed."""

    def __init__(self, module: Path, variables: Mapping[str, str], pin: str) -> None:
        os.environ.update(variables)
        self._pin = pin
        table = ctypes.POINTER(_FunctionList)()
        code = ctypes.CDLL(str(module)).C_GetFunctionList(byref(table))
        if code:
            raise ValueError(f"C_GetFunctionList answered {code}")
        self._functions = table.contents.functions

    def call(self, name: str, *arguments: Any) -> int:
        """Call a function by its name; ints go as CK_ULONG."""
        converted = [c_ulong(value) if isinstance(value, int) else value for value in arguments]
        prototype = ctypes.CFUNCTYPE(c_ulong)
        return int(prototype(self._functions[FUNCTIONS.index(name)])(*converted))

    def initialize(self) -> int:
        """Initialise for several threads."""
        return self.call("C_Initialize", byref(_InitializeArgs(flags=_OS_LOCKING_OK)))

    def finalize(self) -> int:
        """Finalise."""
        return self.call("C_Finalize", None)

    def slots(self) -> list[int]:
        """List the slots with a token."""
        found, count = (c_ulong * 8)(), c_ulong(8)
        code = self.call("C_GetSlotList", 1, found, byref(count))
        return [] if code else found[: count.value]

    def token_info(self, slot: int) -> tuple[int, bytes]:
        """Return CK_TOKEN_INFO as it is; its serial number is at 80 to 96."""
        info = ctypes.create_string_buffer(ROOM)
        return self.call("C_GetTokenInfo", slot, info), info.raw

    def open(self, slot: int = 0, *, rw: bool = False) -> Answer:
        """Open a session."""
        session = c_ulong()
        flags = _SERIAL_SESSION | (_RW_SESSION if rw else 0)
        code = self.call("C_OpenSession", slot, flags, None, None, byref(session))
        return code, session.value

    def state(self, session: int) -> Answer:
        """Ask for the session's state: 0 is public, 1 logged in (read-only ones)."""
        info = (c_ulong * 4)()
        return self.call("C_GetSessionInfo", session, info), info[1]

    def login(self, session: int, pin: str | None = None) -> int:
        """Log in as the user."""
        raw = (pin or self._pin).encode()
        return self.call("C_Login", session, _USER, raw, len(raw))

    def find(self, session: int, label: str, kind: int = PRIVATE_KEY) -> Answer:
        """Find one object by class and label; 0 if there is none."""
        template = _template({_CLASS: kind, _LABEL: label.encode()})
        found, count = (c_ulong * 1)(), c_ulong()
        code = (
            self.call("C_FindObjectsInit", session, template, len(template))
            or self.call("C_FindObjects", session, found, 1, byref(count))
            or self.call("C_FindObjectsFinal", session)
        )
        return code, found[0] if count.value else 0

    def point(self, session: int, label: str) -> bytes:
        """Return a P-256 key's public point, uncompressed."""
        _, key = self.find(session, label, PUBLIC_KEY)
        buffer = ctypes.create_string_buffer(ROOM)
        attribute = _Attribute(_EC_POINT, cast(buffer, c_void_p), ROOM)
        self.call("C_GetAttributeValue", session, key, byref(attribute), 1)
        return buffer.raw[_POINT]

    def generate(self, session: int, label: str) -> Answer:
        """Generate a P-256 key pair on the token; returns the private key."""
        name: dict[int, int | bytes] = {_TOKEN: True, _LABEL: label.encode()}
        public = _template({**name, _PRIVATE: False, _EC_PARAMS: P256})
        private = _template({**name, _PRIVATE: True, _SIGN: True})
        mechanism = byref(_Mechanism(_EC_KEY_PAIR_GEN))
        templates = (public, len(public), private, len(private))
        keys = (c_ulong * 2)()
        handles = (byref(keys, 0), byref(keys, ctypes.sizeof(c_ulong)))
        code = self.call("C_GenerateKeyPair", session, mechanism, *templates, *handles)
        return code, keys[1]

    def sign_init(self, session: int, key: int) -> int:
        """Begin to sign with ECDSA."""
        return self.call("C_SignInit", session, byref(_Mechanism(_ECDSA)), key)

    def finish_sign(
        self, session: int, data: bytes = DIGEST, room: int = ROOM
    ) -> tuple[int, bytes]:
        """Sign what was begun, into a buffer of ``room`` bytes."""
        signature, length = ctypes.create_string_buffer(ROOM), c_ulong(room)
        code = self.call("C_Sign", session, data, len(data), signature, byref(length))
        return code, b"" if code else signature.raw[: length.value]

    def sign(self, session: int, key: int, data: bytes = DIGEST) -> tuple[int, bytes]:
        """Begin and sign; the first code that is not CKR_OK."""
        code = self.sign_init(session, key)
        return (code, b"") if code else self.finish_sign(session, data)

    def signature_size(self, session: int) -> Answer:
        """Ask for the size of the signature that was begun."""
        length = c_ulong()
        code = self.call("C_Sign", session, DIGEST, len(DIGEST), None, byref(length))
        return code, length.value


class Clients(BaseManager):
    """The process; it is spawned, as one that has loaded a module must not be forked."""

    client: Callable[[Path, Mapping[str, str], str], Client]

    @classmethod
    def started(cls) -> Self:
        """Return a manager that a ``with`` statement starts."""
        return cls(ctx=multiprocessing.get_context("spawn"))


Clients.register("client", Client)
