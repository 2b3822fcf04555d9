"""A token with this process logged in.

The login belongs to the process and not to a session: closing a session that was
opened with a PIN would log out every other one. So one anchor session does the
one login and stays open; all others are opened without a PIN, and the login ends
with the last of them.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pkcs11
from pkcs11.constants import MechanismFlag, TokenFlag
from pkcs11.exceptions import MechanismInvalid, PKCS11Error

from signer.errors import ConfigError, HsmUnavailableError
from signer.hsm.cryptoki import Cryptoki
from signer.hsm.errors import Ckr, code_of, describe
from signer.hsm.handles import close, handle
from signer.hsm.module import Module, load
from signer.pin import PinProvider

ANCHOR_SECONDS: Final = 1.0  # how long a thread waits for another to be done with it
_LOGIN_PROBLEMS: Final[Mapping[int, str]] = {
    Ckr.PIN_INCORRECT: "the PIN is wrong; it was tried once and will not be tried again",
    Ckr.PIN_LOCKED: "the PIN is locked; the security officer must set it anew",
    Ckr.PIN_EXPIRED: "the PIN has expired; it must be changed",
    Ckr.USER_PIN_NOT_INITIALIZED: "the user PIN was never set",
}


class PinRefusedError(ConfigError):
    """The token does not take the PIN; it is not tried again in this process."""


class Token:
    """A logged-in token; opens sessions. Thread-safe, but for ``renew``."""

    def __init__(
        self,
        module: Module,
        token: pkcs11.Token,
        anchor: pkcs11.Session,
        pin: PinProvider,
        serial: str | None = None,
    ) -> None:
        self.module = module
        self.label: Final = token.label
        self._serial = serial
        self._token = token
        self._anchor: pkcs11.Session | None = anchor
        self._era = module.era
        self._pin = pin
        self._refused: PinRefusedError | None = None
        self._anchor_lock = threading.Lock()

    @property
    def cryptoki(self) -> Cryptoki:
        """The functions of its module."""
        return self.module.cryptoki

    def open(self, *, rw: bool = False) -> pkcs11.Session:
        """Open a session that shares the login; it is the caller's to close.

        Raises:
            PKCS11Error: as the token says.
        """
        return self._token.open(rw=rw)

    def is_logged_in(self) -> bool:
        """Tell whether the anchor still stands and is logged in; True if another is stuck in it."""
        with self._anchor_alone() as alone:
            if not alone:
                return True
            anchor = self._standing()
            return anchor is not None and self.cryptoki.is_logged_in(handle(anchor))

    def renew(self) -> None:
        """Log in again with a new anchor, after the old one was lost.

        Raises:
            PinRefusedError: now, or at any time before.
            ConfigError: the login fails for another reason.
            PKCS11Error: as the token says.
        """
        if self._refused is not None:
            raise self._refused
        with self._anchor_alone():
            if self._is_forgotten():
                self.module.revive(self.module.era)
            self.close()
            if self._era != self.module.era:
                self._token = _find(list(self.module.tokens()), self.label, self._serial)
                self._era = self.module.era
            self._anchor = anchor = self._token.open()
        try:
            _authenticate(self.module, self._token.slot.get_token(), anchor, self._pin)
        except PinRefusedError as error:
            self._refused = error
            raise

    def _standing(self) -> pkcs11.Session | None:
        """Return the anchor, if it may be touched: it went with its era."""
        return self._anchor if self._era == self.module.era else None

    def _is_forgotten(self) -> bool:
        """Tell whether the module must be initialised, a code that python-pkcs11 does not tell."""
        anchor = self._standing()
        if self.module.is_lost or anchor is None:
            return self.module.is_lost
        return self.cryptoki.ping(handle(anchor)) == Ckr.CRYPTOKI_NOT_INITIALIZED

    @contextmanager
    def _anchor_alone(self) -> Iterator[bool]:
        """Keep a session to one thread at a time.

        Gives False where a call on it hangs: that must not keep the token from healing.
        """
        alone = self._anchor_lock.acquire(timeout=ANCHOR_SECONDS)
        try:
            yield alone
        finally:
            if alone:
                self._anchor_lock.release()

    def room(self) -> int | None:
        """Return how many sessions more the token says that it has; None if it does not say."""
        return self.cryptoki.session_room(self._token.slot.slot_id)

    def can(self, mechanism: pkcs11.Mechanism, flag: MechanismFlag) -> bool:
        """Tell whether the token has a mechanism for a purpose (``C_GetMechanismInfo``)."""
        try:
            info = self._token.slot.get_mechanism_info(mechanism)
        except MechanismInvalid:
            return False
        return bool(info.flags & flag)

    def abandon(self) -> None:
        """Leave the module as it is until the process ends: a call hangs, and so may others."""
        self.module.abandon()

    def close(self) -> None:
        """Close the anchor session. What fails here is gone already."""
        anchor = self._standing()
        self._anchor = None
        if anchor is not None:
            close(anchor)


def open_token(module: Path, label: str, pin: PinProvider, *, serial: str | None = None) -> Token:
    """Load the module, find the token and log in, with one attempt at the PIN.

    Args:
        module: the PKCS#11 library.
        label: the token's label.
        pin: gives the user PIN; not asked before the token is found.
        serial: needed where two tokens have the same label.

    Raises:
        ConfigError: no such module or token, or the PIN is refused.
        HsmUnavailableError: the token does not open a session.
    """
    return log_in(load(module), label, pin, serial=serial)


def log_in(module: Module, label: str, pin: PinProvider, *, serial: str | None = None) -> Token:
    """Do what ``open_token`` does, on a loaded module."""
    try:
        token = _find(list(module.tokens()), label, serial)
        anchor = token.open()
    except PKCS11Error as error:
        raise HsmUnavailableError(f"token {label!r}: {describe(code_of(error))}") from None
    try:
        _authenticate(module, token, anchor, pin)
    except ConfigError:
        anchor.close()
        raise
    return Token(module, token, anchor, pin, serial)


def _find(tokens: Sequence[pkcs11.Token], label: str, serial: str | None) -> pkcs11.Token:
    found = [
        token
        for token in tokens
        if token.label == label and serial in (None, token.serial.decode("ascii", "replace"))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{len(found)} tokens have the label {label!r}: give the serial, too")
    labels = ", ".join(sorted(repr(token.label) for token in tokens)) or "none"
    wanted = f"{label!r}" if serial is None else f"{label!r} with serial {serial}"
    raise ConfigError(f"no token {wanted}; there are: {labels}")


def _authenticate(
    module: Module, token: pkcs11.Token, anchor: pkcs11.Session, pin: PinProvider
) -> None:
    # A supervisor that restarts the service again and again must not lock the token.
    if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
        raise PinRefusedError(f"token {token.label!r}: one try is left; log in by hand first")
    code = module.cryptoki.login(handle(anchor), pin.pin())
    if code in _LOGIN_PROBLEMS:
        raise PinRefusedError(f"token {token.label!r}: {_LOGIN_PROBLEMS[code]}")
    if code not in (Ckr.OK, Ckr.USER_ALREADY_LOGGED_IN):
        raise ConfigError(f"token {token.label!r}: C_Login answered {describe(code)}")
