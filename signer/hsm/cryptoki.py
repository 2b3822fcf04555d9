"""The few PKCS#11 functions that python-pkcs11 does not call as this service needs.

They are taken from the module's function list and not from its symbols: some
modules export nothing but ``C_GetFunctionList``. Every call drops the GIL and
answers the plain return code.
"""

import ctypes
from typing import Final

from signer.hsm.errors import Ckr, TokenError

CKF_OS_LOCKING_OK: Final = 0x2
CKU_USER: Final = 1
CKS_USER_FUNCTIONS: Final = (1, 3)  # read-only and read-write, logged in as the user

# Places in CK_FUNCTION_LIST (PKCS#11 v2.40, section 3.6), after its version.
_INITIALIZE: Final = 0
_FINALIZE: Final = 1
_GET_TOKEN_INFO: Final = 6
_GET_SESSION_INFO: Final = 15
_LOGIN: Final = 18
_GET_ATTRIBUTE_VALUE: Final = 24
_FIND_OBJECTS_INIT: Final = 26
_FIND_OBJECTS: Final = 27
_FIND_OBJECTS_FINAL: Final = 28
_SIGN_INIT: Final = 42
_SIGN: Final = 43
_FUNCTIONS: Final = 68

UNAVAILABLE_INFORMATION: Final = ctypes.c_ulong(-1).value

# Room for the longest signature that is served: RSA of 4,096 bits.
SIGNATURE_ROOM: Final = 512


class _FunctionList(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_ubyte * 2),
        ("functions", ctypes.c_void_p * _FUNCTIONS),
    )


class _InitializeArgs(ctypes.Structure):
    _fields_ = (
        ("mutex_callbacks", ctypes.c_void_p * 4),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class _SessionInfo(ctypes.Structure):
    _fields_ = (
        ("slot", ctypes.c_ulong),
        ("state", ctypes.c_ulong),
        ("flags", ctypes.c_ulong),
        ("device_error", ctypes.c_ulong),
    )


class _TokenInfo(ctypes.Structure):
    _fields_ = (
        ("names", ctypes.c_ubyte * 96),  # label, manufacturer, model, serial number
        ("flags", ctypes.c_ulong),
        ("max_sessions", ctypes.c_ulong),
        ("sessions", ctypes.c_ulong),
        ("rest", ctypes.c_ulong * 8),
        ("versions_and_time", ctypes.c_ubyte * 20),
    )


class CkAttribute(ctypes.Structure):
    """A CK_ATTRIBUTE."""

    _fields_ = (
        ("type", ctypes.c_ulong),
        ("value", ctypes.c_void_p),
        ("length", ctypes.c_ulong),
    )


CkAttributes = ctypes.Array[CkAttribute]


class _Mechanism(ctypes.Structure):
    _fields_ = (
        ("mechanism", ctypes.c_ulong),
        ("parameter", ctypes.c_void_p),
        ("parameter_size", ctypes.c_ulong),
    )


class CkMechanism:
    """A CK_MECHANISM that is ready to be passed; nobody changes it, so threads share it.

    Args:
        mechanism: the CKM_ number.
        parameters: the fields of a parameter struct of CK_ULONGs, such as
            CK_RSA_PKCS_PSS_PARAMS (PKCS#11 v3.0, section 2.1.9).
    """

    def __init__(self, mechanism: int, parameters: tuple[int, ...] = ()) -> None:
        self._fields = (ctypes.c_ulong * len(parameters))(*parameters)
        parameter = ctypes.addressof(self._fields) if parameters else None
        self._struct = _Mechanism(mechanism, parameter, ctypes.sizeof(self._fields))
        self.address = ctypes.addressof(self._struct)


class Cryptoki:
    """A module's functions, by ctypes.

    Args:
        table: the address of the CK_FUNCTION_LIST.

    Attributes:
        addresses: of ``C_SignInit`` and ``C_Sign``, for callers that are compiled.
    """

    def __init__(self, table: int) -> None:
        self.table = table
        functions = _FunctionList.from_address(table).functions
        one_pointer = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)
        login = ctypes.CFUNCTYPE(
            ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong
        )
        info = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.POINTER(_SessionInfo))
        token_info = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.POINTER(_TokenInfo))
        sign_init = ctypes.CFUNCTYPE(
            ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong
        )
        sign = ctypes.CFUNCTYPE(
            ctypes.c_ulong,
            ctypes.c_ulong,
            ctypes.c_char_p,
            ctypes.c_ulong,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        attributes = ctypes.CFUNCTYPE(
            ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong
        )
        find_init = ctypes.CFUNCTYPE(
            ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong
        )
        find = ctypes.CFUNCTYPE(
            ctypes.c_ulong,
            ctypes.c_ulong,
            ctypes.c_void_p,
            ctypes.c_ulong,
            ctypes.POINTER(ctypes.c_ulong),
        )
        find_final = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong)
        self.addresses: tuple[int, int] = (functions[_SIGN_INIT] or 0, functions[_SIGN] or 0)
        self._session_info = info(functions[_GET_SESSION_INFO])
        self._token_info = token_info(functions[_GET_TOKEN_INFO])
        self._sign_init = sign_init(functions[_SIGN_INIT])
        self._sign = sign(functions[_SIGN])
        self._initialize = one_pointer(functions[_INITIALIZE])
        self._finalize = one_pointer(functions[_FINALIZE])
        self._login = login(functions[_LOGIN])
        self._attributes = attributes(functions[_GET_ATTRIBUTE_VALUE])
        self._find_objects_init = find_init(functions[_FIND_OBJECTS_INIT])
        self._find_objects = find(functions[_FIND_OBJECTS])
        self._find_objects_final = find_final(functions[_FIND_OBJECTS_FINAL])

    def initialize(self) -> int:
        """Call ``C_Initialize`` for use by several threads; returns its code."""
        arguments = _InitializeArgs(flags=CKF_OS_LOCKING_OK)
        return int(self._initialize(ctypes.addressof(arguments)))

    def finalize(self) -> int:
        """Call ``C_Finalize``; returns its code."""
        return int(self._finalize(None))

    def login(self, session: int, pin: bytes) -> int:
        """Call ``C_Login`` as the user on an open session's handle; returns its code."""
        return int(self._login(session, CKU_USER, pin, len(pin)))

    def ping(self, session: int) -> int:
        """Call ``C_GetSessionInfo``, which keeps a link alive; returns its code."""
        return int(self._session_info(session, ctypes.byref(_SessionInfo())))

    def is_logged_in(self, session: int) -> bool:
        """Tell whether a session is there and logged in as the user."""
        info = _SessionInfo()
        code = self._session_info(session, ctypes.byref(info))
        return code == Ckr.OK and info.state in CKS_USER_FUNCTIONS

    def session_room(self, slot: int) -> int | None:
        """Return how many sessions a token has left; None when it has no limit or does not say.

        PKCS#11 v2.40, section 3.2: CK_EFFECTIVELY_INFINITE is 0, CK_UNAVAILABLE_INFORMATION
        is all ones.
        """
        info = _TokenInfo()
        code = self._token_info(slot, ctypes.byref(info))
        unsaid = {0, UNAVAILABLE_INFORMATION}
        if code or info.max_sessions in unsaid or info.sessions == UNAVAILABLE_INFORMATION:
            return None
        return max(0, int(info.max_sessions) - int(info.sessions))

    def find_objects_init(self, session: int, template: CkAttributes, count: int) -> int:
        """Call ``C_FindObjectsInit``; returns its code."""
        return int(self._find_objects_init(session, ctypes.addressof(template), count))

    def find_objects(
        self, session: int, found: ctypes.Array[ctypes.c_ulong], room: int, count: ctypes.c_ulong
    ) -> int:
        """Call ``C_FindObjects``, which fills ``found`` and ``count``; returns its code."""
        return int(self._find_objects(session, ctypes.addressof(found), room, ctypes.byref(count)))

    def find_objects_final(self, session: int) -> int:
        """Call ``C_FindObjectsFinal``; returns its code."""
        return int(self._find_objects_final(session))

    def attributes(self, session: int, handle: int, template: CkAttributes, count: int) -> int:
        """Call ``C_GetAttributeValue``, which fills ``template``; returns its code."""
        return int(self._attributes(session, handle, ctypes.addressof(template), count))

    def sign_init(self, session: int, mechanism: CkMechanism, key: int) -> int:
        """Call ``C_SignInit``; returns its code."""
        return int(self._sign_init(session, mechanism.address, key))

    def sign(self, session: int, data: bytes, signature: int, size: int) -> int:
        """Call ``C_Sign``; returns its code.

        Args:
            session: the session's handle.
            data: what to sign.
            signature: the address of the buffer for the signature.
            size: the address of its CK_ULONG size, which becomes the signature's.
        """
        return int(self._sign(session, data, len(data), signature, size))


class SignBuffer:
    """A session's room for signatures, made once: then signing is two calls, no size query."""

    def __init__(self, cryptoki: Cryptoki, session: int) -> None:
        self._cryptoki = cryptoki
        self._session = session
        self._buffer = ctypes.create_string_buffer(SIGNATURE_ROOM)
        self._size = ctypes.c_ulong()
        self._buffer_address = ctypes.addressof(self._buffer)
        self._size_address = ctypes.addressof(self._size)

    def sign(self, mechanism: CkMechanism, key: int, data: bytes) -> bytes:
        """Sign ``data`` as it is with the key of a handle.

        Raises:
            TokenError: as the token says.
        """
        code = self._cryptoki.sign_init(self._session, mechanism, key)
        if code:
            raise TokenError(code, began=False)
        self._size.value = SIGNATURE_ROOM
        code = self._cryptoki.sign(self._session, data, self._buffer_address, self._size_address)
        size = self._size.value
        if code or size > SIGNATURE_ROOM:
            raise TokenError(code or Ckr.GENERAL_ERROR, began=True)
        return ctypes.string_at(self._buffer_address, size)
