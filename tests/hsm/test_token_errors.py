"""What a return code means for a signature."""

import pytest
from pkcs11 import exceptions

from signer.errors import HsmError, HsmRefusedError, HsmUnavailableError, OutcomeUnknownError
from signer.hsm.errors import RULES, Action, Ckr, TokenError, code_of, describe


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (Ckr.DATA_INVALID, HsmRefusedError),
        (Ckr.DATA_LEN_RANGE, HsmRefusedError),
        (Ckr.MECHANISM_INVALID, HsmRefusedError),
        (Ckr.KEY_FUNCTION_NOT_PERMITTED, HsmRefusedError),
        (Ckr.SESSION_HANDLE_INVALID, HsmUnavailableError),
        (Ckr.USER_NOT_LOGGED_IN, HsmUnavailableError),
        (Ckr.OPERATION_ACTIVE, HsmUnavailableError),
        (Ckr.TOKEN_NOT_PRESENT, HsmUnavailableError),
        (Ckr.DEVICE_ERROR, OutcomeUnknownError),
        (Ckr.DEVICE_REMOVED, OutcomeUnknownError),
        (Ckr.GENERAL_ERROR, OutcomeUnknownError),
        (Ckr.FUNCTION_FAILED, OutcomeUnknownError),
        (Ckr.HOST_MEMORY, OutcomeUnknownError),
        (Ckr.SESSION_CLOSED, OutcomeUnknownError),
        (Ckr.OPERATION_NOT_INITIALIZED, OutcomeUnknownError),
        (0x80000001, OutcomeUnknownError),  # a vendor's
        (0xFFFFFFFFFFFFFFFF, OutcomeUnknownError),  # a remoting layer's time-out
    ],
)
def test_effects(code: int, wanted: type[HsmError]) -> None:
    """Only codes that say that nothing ran give a reservation back."""
    error = TokenError(code, began=True).for_caller()
    assert type(error) is wanted
    assert describe(code) in str(error)


@pytest.mark.parametrize("code", [*Ckr, 0x80000001])
def test_nothing_is_signed_before_the_signing_call(code: int) -> None:
    """Whatever ``C_SignInit`` answers, no signature exists, so nothing is spent."""
    assert TokenError(code, began=False).for_caller().certain


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (Ckr.DATA_LEN_RANGE, Action.REFUSE),
        (Ckr.SESSION_CLOSED, Action.REPLACE),
        (Ckr.OPERATION_ACTIVE, Action.REPLACE),
        (Ckr.KEY_HANDLE_INVALID, Action.REBIND),
        (Ckr.USER_NOT_LOGGED_IN, Action.REBIND),
        (Ckr.PIN_INCORRECT, Action.FATAL),
        (Ckr.HOST_MEMORY, Action.BACK_OFF),
        (Ckr.SESSION_COUNT, Action.BACK_OFF),
        (Ckr.GENERAL_ERROR, Action.SUSPECT),
        (Ckr.DEVICE_REMOVED, Action.DOWN),
        (Ckr.CRYPTOKI_NOT_INITIALIZED, Action.REINITIALIZE),
        (0x80000001, Action.UNKNOWN),
        (0xFFFFFFFFFFFFFFFF, Action.UNKNOWN),
    ],
)
def test_actions(code: int, action: Action) -> None:
    """Each class of codes has its consequence, and a code that nobody knows has one."""
    assert TokenError(code, began=True).action is action


def test_descriptions() -> None:
    """A code has its name, an unknown one its number."""
    assert describe(0x30) == "CKR_DEVICE_ERROR"
    assert describe(0x80000001) == "CKR 0x80000001"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exceptions.DeviceError(), Ckr.DEVICE_ERROR),
        (exceptions.DataLenRange(), Ckr.DATA_LEN_RANGE),
        (exceptions.MechanismParamInvalid(), Ckr.MECHANISM_PARAM_INVALID),
        (exceptions.UserNotLoggedIn(), Ckr.USER_NOT_LOGGED_IN),
        (exceptions.FunctionCancelled(), Ckr.FUNCTION_CANCELED),
        (exceptions.TokenNotRecognised(), Ckr.TOKEN_NOT_RECOGNIZED),
        (exceptions.PKCS11Error("Unmapped error code 0x68"), Ckr.KEY_FUNCTION_NOT_PERMITTED),
        (exceptions.PKCS11Error("Unmapped error code 0x80000001"), 0x80000001),
        (exceptions.PKCS11Error("something else"), Ckr.GENERAL_ERROR),
        (exceptions.NoSuchKey("nothing"), Ckr.GENERAL_ERROR),
    ],
)
def test_codes_of_exceptions(error: exceptions.PKCS11Error, code: int) -> None:
    """The number behind an exception is found, or it is a general error."""
    assert code_of(error) == code


def test_every_certain_code_can_be_seen() -> None:
    """No code of the table is lost on its way through python-pkcs11's exceptions."""
    from_exceptions = {
        code_of(kind())
        for kind in vars(exceptions).values()
        if isinstance(kind, type) and issubclass(kind, exceptions.PKCS11Error)
    }
    unmapped = {Ckr.KEY_FUNCTION_NOT_PERMITTED, Ckr.CRYPTOKI_NOT_INITIALIZED}
    certain = {code for code, rule in RULES.items() if rule.effect.certain}
    assert certain - from_exceptions == unmapped
