"""What each PKCS#11 return code means for a signature: one table, by number.

A code is certain only where PKCS#11 v3.0, section 5.1, says that the function did
not run. Any other code, also a vendor's, leaves the outcome unknown, so that a
limit over-counts and never under-counts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
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
    ATTRIBUTE_SENSITIVE = 0x011
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
    BUFFER_TOO_SMALL = 0x150
    CRYPTOKI_NOT_INITIALIZED = 0x190
    CRYPTOKI_ALREADY_INITIALIZED = 0x191
    FUNCTION_REJECTED = 0x200


class Action(Enum):
    """What the pool does after a return code, beside replacing the session."""

    REFUSE = auto()  # the caller's or the policy's error: another try would end the same
    REPLACE = auto()  # another session will do
    REBIND = auto()  # handles or the login are gone: next generation
    FATAL = auto()  # the PIN is refused: never tried again
    BACK_OFF = auto()  # fewer in flight: pause before the next session
    SUSPECT = auto()  # too many of the last operations: the slot is down
    DOWN = auto()  # the slot is down now
    REINITIALIZE = auto()  # the same; the module lost its state, perhaps for this process
    UNKNOWN = auto()  # like SUSPECT; if it stays, perhaps only a restart helps


# One more try, on another session or slot. Signing the same message again is safe:
# one signature at most is released.
RETRIED: Final = frozenset(
    {
        Action.REPLACE,
        Action.REBIND,
        Action.SUSPECT,
        Action.DOWN,
        Action.REINITIALIZE,
        Action.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a return code of ``C_Sign`` means.

    ``effect`` is the error when no try is left.
    """

    effect: type[HsmError]
    action: Action


_REFUSED: Final = Rule(HsmRefusedError, Action.REFUSE)
_UNKNOWN: Final = Rule(OutcomeUnknownError, Action.UNKNOWN)

RULES: Final[Mapping[int, Rule]] = {
    Ckr.DATA_INVALID: _REFUSED,
    Ckr.DATA_LEN_RANGE: _REFUSED,
    Ckr.FUNCTION_NOT_SUPPORTED: _REFUSED,
    Ckr.FUNCTION_REJECTED: _REFUSED,
    Ckr.KEY_FUNCTION_NOT_PERMITTED: _REFUSED,
    Ckr.KEY_SIZE_RANGE: _REFUSED,
    Ckr.KEY_TYPE_INCONSISTENT: _REFUSED,
    Ckr.MECHANISM_INVALID: _REFUSED,
    Ckr.MECHANISM_PARAM_INVALID: _REFUSED,
    Ckr.OPERATION_ACTIVE: Rule(HsmUnavailableError, Action.REPLACE),
    Ckr.SESSION_HANDLE_INVALID: Rule(HsmUnavailableError, Action.REPLACE),
    # The link may have gone while the function ran.
    Ckr.SESSION_CLOSED: Rule(OutcomeUnknownError, Action.REPLACE),
    # A remoting layer that sends C_Sign twice gives it for a signature that was made.
    Ckr.OPERATION_NOT_INITIALIZED: Rule(OutcomeUnknownError, Action.REPLACE),
    Ckr.KEY_HANDLE_INVALID: Rule(HsmUnavailableError, Action.REBIND),
    Ckr.OBJECT_HANDLE_INVALID: Rule(HsmUnavailableError, Action.REBIND),
    Ckr.USER_NOT_LOGGED_IN: Rule(HsmUnavailableError, Action.REBIND),
    Ckr.PIN_INCORRECT: Rule(HsmUnavailableError, Action.FATAL),
    Ckr.PIN_LOCKED: Rule(HsmUnavailableError, Action.FATAL),
    Ckr.FUNCTION_FAILED: Rule(OutcomeUnknownError, Action.BACK_OFF),
    Ckr.DEVICE_MEMORY: Rule(OutcomeUnknownError, Action.BACK_OFF),
    Ckr.HOST_MEMORY: Rule(OutcomeUnknownError, Action.BACK_OFF),
    Ckr.SESSION_COUNT: Rule(HsmUnavailableError, Action.BACK_OFF),
    Ckr.DEVICE_ERROR: Rule(OutcomeUnknownError, Action.SUSPECT),
    Ckr.GENERAL_ERROR: Rule(OutcomeUnknownError, Action.SUSPECT),
    Ckr.DEVICE_REMOVED: Rule(OutcomeUnknownError, Action.DOWN),
    Ckr.TOKEN_NOT_PRESENT: Rule(HsmUnavailableError, Action.DOWN),
    Ckr.TOKEN_NOT_RECOGNIZED: Rule(HsmUnavailableError, Action.DOWN),
    Ckr.CRYPTOKI_NOT_INITIALIZED: Rule(HsmUnavailableError, Action.REINITIALIZE),
}


# Errors after which the handles of other sessions are as good as before. Of any other, a handle
# that is nobody's or another object's by now may be the cause.
_HANDLES_KEPT: Final = frozenset({Action.REPLACE, Action.BACK_OFF})
_DATA: Final = frozenset({Ckr.DATA_INVALID, Ckr.DATA_LEN_RANGE})


class TokenError(Exception):
    """A function of the token did not answer CKR_OK.

    ``began`` says whether ``C_Sign`` was entered: before that there is no signature,
    whatever the code.
    """

    def __init__(self, code: int, *, began: bool) -> None:
        super().__init__(describe(code))
        self.code = code
        self.began = began

    @property
    def name(self) -> str:
        """The code's name, ``other`` where it has none: of those there is no end."""
        name = describe(self.code)
        return name if name.startswith("CKR_") else "other"

    @property
    def action(self) -> Action:
        """What the pool does about it."""
        return RULES.get(self.code, _UNKNOWN).action

    @property
    def casts_doubt(self) -> bool:
        """Whether the handle of the key may be the cause."""
        return self.action not in _HANDLES_KEPT and self.code not in _DATA

    def for_caller(self) -> HsmError:
        """Return what the caller of a signature is told when no try is left."""
        effect = RULES.get(self.code, _UNKNOWN).effect
        if not self.began and not effect.certain:
            effect = HsmUnavailableError
        return effect(f"the token answered {describe(self.code)}")


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
