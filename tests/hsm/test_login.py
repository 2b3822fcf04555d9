"""The module is found, initialised and logged in to once, or the reason is one line."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pkcs11
import pytest
from pkcs11.constants import TokenFlag
from pkcs11.exceptions import DeviceError

from signer.errors import ConfigError, HsmUnavailableError
from signer.hsm import Token, open_token
from signer.hsm.cryptoki import Cryptoki
from signer.hsm.errors import Ckr
from signer.hsm.module import Module, load
from signer.hsm.token import PinRefusedError, log_in
from signer.pin import EnvPin, FilePin
from tests.support.softhsm import SoftHsm

WRONG = b"000000"


@dataclass
class FixedPin:
    """A PIN that counts how often it was asked for."""

    value: bytes
    asked: int = 0

    def pin(self) -> bytes:
        """Return it."""
        self.asked += 1
        return self.value


class CountingCryptoki(Cryptoki):
    """The real functions; counts logins, and may answer in the token's place."""

    def __init__(self, module: Module, answer: int | None = None) -> None:
        super().__init__(module.cryptoki.table)
        self.logins = 0
        self.restarts = 0
        self.ping_code = 0
        self.answer = answer

    def login(self, session: int, pin: bytes) -> int:
        """Log in, unless the answer is given."""
        self.logins += 1
        return super().login(session, pin) if self.answer is None else self.answer

    def ping(self, session: int) -> int:
        """Ping, unless the answer is given."""
        return self.ping_code or super().ping(session)

    def finalize(self) -> int:
        """Only count: the whole run shares the module."""
        return 0

    def initialize(self) -> int:
        """Only count."""
        self.restarts += 1
        return 0


@pytest.fixture
def module(softhsm: SoftHsm) -> Module:
    """The module that the whole run shares."""
    return load(softhsm.module)


def test_missing_module(tmp_path: Path) -> None:
    """A library that is not there is named."""
    with pytest.raises(ConfigError, match=r"gone\.so: no such file"):
        load(tmp_path / "gone.so")


def test_not_a_module(tmp_path: Path) -> None:
    """A file that is no library is named, on one line."""
    path = tmp_path / "text.so"
    path.write_text("not a library")
    with pytest.raises(ConfigError, match=r"text\.so: ") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_two_paths_to_one_module(softhsm: SoftHsm, module: Module) -> None:
    """Another path to the same file is the same module, already initialised."""
    real = Path(os.path.realpath(softhsm.module))
    assert load(real) is module
    assert load(softhsm.module) is module


def test_initialised_once(module: Module) -> None:
    """The module knows that it is initialised, so nobody else may do it again."""
    assert module.cryptoki.initialize() == Ckr.CRYPTOKI_ALREADY_INITIALIZED


def test_unknown_token(softhsm: SoftHsm) -> None:
    """A label that no token has is told with those that exist."""
    with pytest.raises(ConfigError, match=r"no token 'other'; there are: .*'signgate-test'"):
        softhsm.open("other")


def test_unknown_serial(softhsm: SoftHsm) -> None:
    """A serial that no token has is told as well."""
    with pytest.raises(ConfigError, match="'signgate-test' with serial 0000"):
        open_token(softhsm.module, "signgate-test", FilePin(softhsm.pin_file), serial="0000")


def test_two_tokens_of_one_label(softhsm: SoftHsm, module: Module) -> None:
    """Where two tokens have the label, the serial tells them apart."""
    with pytest.raises(ConfigError, match="2 tokens have the label 'signgate-twin'"):
        softhsm.open("signgate-twin")
    twins = [token for token in module.tokens() if token.label == "signgate-twin"]
    for twin in twins:
        serial = twin.serial.decode()
        opened = open_token(softhsm.module, twin.label, FilePin(softhsm.pin_file), serial=serial)
        opened.close()
    assert len(twins) == 2


def test_no_pin_without_a_token(softhsm: SoftHsm, module: Module) -> None:
    """The PIN is not asked for before the token is found."""
    pin = FixedPin(WRONG)
    with pytest.raises(ConfigError, match="no token"):
        log_in(module, "other", pin)
    assert pin.asked == 0


def test_wrong_pin_is_tried_once(softhsm: SoftHsm, module: Module) -> None:
    """A wrong PIN reaches the token once, is not in the message, and leaves no session."""
    cryptoki = CountingCryptoki(module)
    pin = FixedPin(WRONG)
    with pytest.raises(ConfigError, match="'signgate-pin': the PIN is wrong") as error:
        log_in(Module(module.library, cryptoki), "signgate-pin", pin)
    assert (cryptoki.logins, pin.asked) == (1, 1)
    assert WRONG.decode() not in str(error.value)
    (token,) = (token for token in module.tokens() if token.label == "signgate-pin")
    assert token.flags & TokenFlag.USER_PIN_COUNT_LOW
    softhsm.open("signgate-pin").close()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Ckr.PIN_LOCKED, "locked"),
        (Ckr.PIN_EXPIRED, "expired"),
        (Ckr.USER_PIN_NOT_INITIALIZED, "never set"),
        (Ckr.DEVICE_ERROR, "C_Login answered CKR_DEVICE_ERROR"),
        (0x80000001, "C_Login answered CKR 0x80000001"),
    ],
)
def test_other_answers_to_a_login(
    softhsm: SoftHsm, module: Module, answer: int, problem: str
) -> None:
    """Each answer to a login is told; SoftHSM gives none of these, so they are put in its mouth."""
    cryptoki = CountingCryptoki(module, answer)
    with pytest.raises(ConfigError, match=problem):
        log_in(Module(module.library, cryptoki), "signgate-pin", FixedPin(WRONG))
    assert cryptoki.logins == 1


@dataclass
class StubToken:
    """A token that is about to lock, or does not open."""

    real: pkcs11.Token
    flags: TokenFlag
    error: Exception | None = None
    label: str = "stub"
    serial: bytes = b"1"

    def open(self) -> pkcs11.Session:
        """Open, or fail."""
        if self.error:
            raise self.error
        return self.real.open()


class StubModule:
    """The real module with one stub for its tokens."""

    def __init__(self, module: Module, token: StubToken) -> None:
        self.cryptoki = CountingCryptoki(module)
        self.era = module.era
        self._token = token

    def tokens(self) -> list[StubToken]:
        """Return the stub."""
        return [self._token]


def test_last_try_is_left_to_an_operator(module: Module) -> None:
    """A service that is restarted again and again does not lock the token."""
    real = next(iter(module.tokens()))
    stub = StubModule(module, StubToken(real, TokenFlag.USER_PIN_FINAL_TRY))
    with pytest.raises(ConfigError, match="one try is left"):
        log_in(cast("Module", stub), "stub", FixedPin(WRONG))
    assert stub.cryptoki.logins == 0


def test_token_that_does_not_open(module: Module) -> None:
    """A token that opens no session is unavailable: the PIN was not tried."""
    real = next(iter(module.tokens()))
    stub = StubModule(module, StubToken(real, TokenFlag(0), DeviceError()))
    with pytest.raises(HsmUnavailableError, match="'stub': CKR_DEVICE_ERROR"):
        log_in(cast("Module", stub), "stub", FixedPin(WRONG))
    assert stub.cryptoki.logins == 0


def test_login_outlives_a_pool_session(token: Token) -> None:
    """Closing a session that was opened without a PIN leaves the others logged in."""
    with closing(token.open()) as kept:
        token.open().close()
        private = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
        assert list(kept.get_objects(private))


def test_login_is_shared(softhsm: SoftHsm, token: Token) -> None:
    """A second login of the same process joins the first, and its end does not end the first."""
    softhsm.open().close()
    with token.open() as session:
        private = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
        assert list(session.get_objects(private))


@pytest.fixture
def counted(softhsm: SoftHsm, module: Module) -> Iterator[tuple[Token, CountingCryptoki]]:
    """A logged-in token, and what counts its logins."""
    cryptoki = CountingCryptoki(module)
    pin = FilePin(softhsm.pin_file)
    with closing(log_in(Module(module.library, cryptoki), "signgate-pin", pin)) as token:
        yield token, cryptoki


def test_login_is_renewed(counted: tuple[Token, CountingCryptoki]) -> None:
    """A lost login is seen, and made anew with one attempt."""
    token, cryptoki = counted
    assert token.is_logged_in()
    token.close()
    assert not token.is_logged_in()
    token.renew()
    assert token.is_logged_in()
    assert (cryptoki.logins, cryptoki.restarts) == (2, 0)


def test_refused_pin_is_not_tried_again(counted: tuple[Token, CountingCryptoki]) -> None:
    """After the token refused the PIN once, no renewal brings it to the token again."""
    token, cryptoki = counted
    cryptoki.answer = Ckr.PIN_INCORRECT
    for _ in range(3):
        with pytest.raises(PinRefusedError, match="the PIN is wrong"):
            token.renew()
    assert cryptoki.logins == 2


def test_module_that_forgot_is_initialised(counted: tuple[Token, CountingCryptoki]) -> None:
    """A module that answers that it is not initialised is finalised and initialised once."""
    token, cryptoki = counted
    cryptoki.ping_code = Ckr.CRYPTOKI_NOT_INITIALIZED
    token.renew()
    assert cryptoki.restarts == 1


def test_closed_twice(softhsm: SoftHsm) -> None:
    """Closing a token that is closed does nothing."""
    opened = softhsm.open("signgate-pin")
    assert opened.label == "signgate-pin"
    opened.close()
    opened.close()


def test_environment_pin(softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PIN from a variable logs in."""
    monkeypatch.setenv("SIGNGATE_TEST_PIN", softhsm.pin)
    open_token(softhsm.module, "signgate-pin", EnvPin("SIGNGATE_TEST_PIN")).close()
