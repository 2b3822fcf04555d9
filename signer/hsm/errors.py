"""What each PKCS#11 return code means for a signature: one table, by number.

A code is in the table only where PKCS#11 v3.0, section 5.1, says that the
function did not run. Any other code, also a vendor's, leaves the outcome
unknown, so that a limit over-counts and never under-counts.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from pkcs11 import exceptions
from pkcs11.exceptions import PKCS11Error

from signer.errors import HsmError, HsmRefusedError, HsmUnavailableError, OutcomeUnknownError


class Ckr(IntEnum):
    """Return codes this service knows by name (PKCS#11 v3.0, section 5.1)."""

    OK = 0x000
    HOST_MEMORY = 0x002
    GENERAL_ERROR = 0x005
    FUNCTION_FAILED = 0x006
    ARGUMENTS_BAD = 0x007
    ATTRIBUTE_TYPE_INVALID = 0x012
    ATTRIBUTE_VALUE_INVALID = 0x013
    DATA_INVALID = 0x020
    DATA_LEN_RANGE = 0x021
    DEVICE_ERROR = 0x030
    DEVICE_MEMORY = 0x031
    DEVICE_REMOVED = 0x032
    FUNCTION_CANCELED = 0x050
    FUNCTION_NOT_SUPPORTED = 0x054
    KEY_HANDLE_INVALID = 0x060
    KEY_SIZE_RANGE = 0x062
    KEY_TYPE_INCONSISTENT = 0x063
    KEY_FUNCTION_NOT_PERMITTED = 0x068
    MECHANISM_INVALID = 0x070
    MECHANISM_PARAM_INVALID = 0x071
    OBJECT_HANDLE_INVALID = 0x082
    OPERATION_ACTIVE = 0x090
    OPERATION_NOT_INITIALIZED = 0x091
    PIN_INCORRECT = 0x0A0
    PIN_INVALID = 0x0A1
    PIN_LEN_RANGE = 0x0A2
    PIN_EXPIRED = 0x0A3
    PIN_LOCKED = 0x0A4
    SESSION_CLOSED = 0x0B0
    SESSION_COUNT = 0x0B1
    SESSION_HANDLE_INVALID = 0x0B3
    SESSION_READ_ONLY = 0x0B5
    TEMPLATE_INCOMPLETE = 0x0D0
    TEMPLATE_INCONSISTENT = 0x0D1
    TOKEN_NOT_PRESENT = 0x0E0
    TOKEN_NOT_RECOGNIZED = 0x0E1
    TOKEN_WRITE_PROTECTED = 0x0E2
    USER_ALREADY_LOGGED_IN = 0x100
    USER_NOT_LOGGED_IN = 0x101
    USER_PIN_NOT_INITIALIZED = 0x102
    CRYPTOKI_NOT_INITIALIZED = 0x190
    CRYPTOKI_ALREADY_INITIALIZED = 0x191
    FUNCTION_REJECTED = 0x200


# OPERATION_NOT_INITIALIZED is left out on purpose: a remoting layer that sends
# C_Sign twice gives it for a signature that was made. SESSION_CLOSED and
# DEVICE_REMOVED happen while a function runs.
EFFECTS: Final[Mapping[int, type[HsmError]]] = {
    Ckr.DATA_INVALID: HsmRefusedError,
    Ckr.DATA_LEN_RANGE: HsmRefusedError,
    Ckr.FUNCTION_NOT_SUPPORTED: HsmRefusedError,
    Ckr.FUNCTION_REJECTED: HsmRefusedError,
    Ckr.KEY_FUNCTION_NOT_PERMITTED: HsmRefusedError,
    Ckr.KEY_SIZE_RANGE: HsmRefusedError,
    Ckr.KEY_TYPE_INCONSISTENT: HsmRefusedError,
    Ckr.MECHANISM_INVALID: HsmRefusedError,
    Ckr.MECHANISM_PARAM_INVALID: HsmRefusedError,
    # The caller may try again: another session, login or token will do.
    Ckr.CRYPTOKI_NOT_INITIALIZED: HsmUnavailableError,
    Ckr.KEY_HANDLE_INVALID: HsmUnavailableError,
    Ckr.OBJECT_HANDLE_INVALID: HsmUnavailableError,
    Ckr.OPERATION_ACTIVE: HsmUnavailableError,
    Ckr.SESSION_COUNT: HsmUnavailableError,
    Ckr.SESSION_HANDLE_INVALID: HsmUnavailableError,
    Ckr.TOKEN_NOT_PRESENT: HsmUnavailableError,
    Ckr.TOKEN_NOT_RECOGNIZED: HsmUnavailableError,
    Ckr.USER_NOT_LOGGED_IN: HsmUnavailableError,
}

_UNMAPPED: Final = re.compile(r"Unmapped error code (0x[0-9a-f]+)")
_SPELLED_OTHERWISE: Final[Mapping[type[PKCS11Error], Ckr]] = {
    exceptions.FunctionCancelled: Ckr.FUNCTION_CANCELED,
    exceptions.TokenNotRecognised: Ckr.TOKEN_NOT_RECOGNIZED,
}


def describe(code: int) -> str:
    """Name a return code: ``CKR_DEVICE_ERROR``, or its number for an unknown one."""
    try:
        return f"CKR_{Ckr(code).name}"
    except ValueError:
        return f"CKR 0x{code:08x}"


def signing_error(code: int) -> HsmError:
    """Return the error for a signing call that ended with ``code``."""
    return EFFECTS.get(code, OutcomeUnknownError)(f"the token answered {describe(code)}")


def code_of(error: PKCS11Error) -> int:
    """Return the code behind a python-pkcs11 exception.

    GENERAL_ERROR stands for those whose code the library does not tell.
    """
    unmapped = _UNMAPPED.fullmatch(str(error))
    if unmapped:
        return int(unmapped[1], 16)
    if type(error) in _SPELLED_OTHERWISE:
        return _SPELLED_OTHERWISE[type(error)]
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).upper()
    return Ckr[name] if name in Ckr.__members__ else Ckr.GENERAL_ERROR
