"""The few PKCS#11 functions that python-pkcs11 does not call as this service needs.

They are taken from the module's function list and not from its symbols: some
modules export nothing but ``C_GetFunctionList``. Every call drops the GIL and
answers the plain return code.
"""

import ctypes
from pathlib import Path
from typing import Final

CKF_OS_LOCKING_OK: Final = 0x2
CKU_USER: Final = 1

# Places in CK_FUNCTION_LIST (PKCS#11 v2.40, section 3.6), after its version.
_INITIALIZE: Final = 0
_FINALIZE: Final = 1
_LOGIN: Final = 18
_FUNCTIONS: Final = 68


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


class Cryptoki:
    """A module's functions, by ctypes."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        table = ctypes.POINTER(_FunctionList)()
        library.C_GetFunctionList(ctypes.byref(table))
        functions = table.contents.functions
        one_pointer = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)
        login = ctypes.CFUNCTYPE(
            ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong
        )
        self._initialize = one_pointer(functions[_INITIALIZE])
        self._finalize = one_pointer(functions[_FINALIZE])
        self._login = login(functions[_LOGIN])

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
