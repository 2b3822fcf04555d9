"""Loads a PKCS#11 module so that several threads may use it, and brings it back to life.

python-pkcs11 calls ``C_Initialize(NULL)``, which promises the module that only
one thread will call it (PKCS#11 v2.40, section 5.4), and then drops the GIL in
every call. So the module is initialised in its place, with ``CKF_OS_LOCKING_OK``.

A process that loaded a module must never fork: spawn.
"""

import atexit
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pkcs11
import structlog
from pkcs11 import _pkcs11
from pkcs11.constants import TokenFlag
from pkcs11.exceptions import PKCS11Error, TokenNotPresent, TokenNotRecognised

from signer.errors import ConfigError
from signer.hsm.cryptoki import Cryptoki
from signer.hsm.errors import Ckr, TokenError, code_of, describe

# How long others may take to let go of the module before it is initialised again.
QUIET_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Library(_pkcs11.lib):
    """python-pkcs11's view of a module, initialised for use by several threads."""

    cryptoki: Cryptoki

    def initialize(self) -> None:
        """Do what the constructor asks for.

        The functions are taken from python-pkcs11's own list: some modules, such as
        p11-kit's proxy, give each who asks an instance that knows no other's sessions.

        Raises:
            TokenError: ``C_Initialize`` fails.
        """
        self.cryptoki = Cryptoki(function_list(self))
        code = self.cryptoki.initialize()
        if code != Ckr.OK:
            raise TokenError(code, began=False)


def function_list(library: _pkcs11.lib) -> int:
    """Return the address of the CK_FUNCTION_LIST: the first field of the object.

    python-pkcs11 has it there and does not tell it; its version is locked.
    """
    address = ctypes.c_void_p.from_address(id(library) + object.__basicsize__).value
    if not address:
        raise TokenError(Ckr.GENERAL_ERROR, began=False)
    return address


class Module:
    """A loaded module: python-pkcs11's view of it and the plain functions. Thread-safe.

    Whoever uses it is its guest meanwhile, so that nobody is inside when it is initialised
    again. ``era`` counts that: handles, tokens and logins of an earlier era are gone, and
    must not even be closed, as their numbers may be others' now. While ``is_lost`` nothing
    can be called but ``revive``.
    """

    def __init__(self, library: Library, cryptoki: Cryptoki) -> None:
        self.library = library
        self.cryptoki = cryptoki
        self.era = 1
        self.is_lost = False
        self._guests = 0
        self._reviving = False
        self._changed = threading.Condition()
        self._path = library.so

    def tokens(self) -> Iterator[pkcs11.Token]:
        """Yield the initialised tokens.

        Raises:
            PKCS11Error, TokenError: as the module says.
        """
        if self.is_lost:
            raise TokenError(Ckr.CRYPTOKI_NOT_INITIALIZED, began=False)
        for slot in self.library.get_slots(token_present=True):
            try:
                token = slot.get_token()
            except (TokenNotPresent, TokenNotRecognised):
                continue
            if token.flags & TokenFlag.TOKEN_INITIALIZED:
                yield token

    @contextmanager
    def guest(self) -> Iterator[None]:
        """Use the module; waits while it is initialised again."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Become a guest; waits while the module is initialised again."""
        with self._changed:
            self._changed.wait_for(lambda: not self._reviving)
            self._guests += 1

    def leave(self) -> None:
        """Be a guest no longer."""
        with self._changed:
            self._guests -= 1
            self._changed.notify_all()

    def revive(self, era: int, let_go: Callable[[], None] = lambda: None) -> None:
        """Initialise the module again, and load it again where that fails.

        A module that lost its link may know no other way back. Nothing happens where
        another guest does not leave in time, or does the same.

        Args:
            era: the one that is to end; nothing happens where it ended already.
            let_go: asks all other guests to leave; the caller is a guest itself.

        Raises:
            PKCS11Error, TokenError: the module does not come back; it can be tried again.
        """
        with self._changed:
            if self._reviving or era != self.era:
                return
            self._reviving = True
        try:
            let_go()
            with self._changed:
                quiet = self._changed.wait_for(lambda: self._guests <= 1, QUIET_SECONDS)
            _log.info("initialising the module again", module=self._path, quiet=quiet)
            if quiet:
                self._initialise_again()
        finally:
            with self._changed:
                self._reviving = False
                self._changed.notify_all()

    def abandon(self) -> None:
        """Do not finalise it when the process ends: where a call hangs, that may hang as well."""
        atexit.unregister(self.finalize)

    def finalize(self) -> None:
        """End its use; what python-pkcs11 does by itself does not happen."""
        if not self.is_lost:
            self.cryptoki.finalize()

    def _initialise_again(self) -> None:
        self.era += 1
        if not self.is_lost:
            self.cryptoki.finalize()
            if self.cryptoki.initialize() == Ckr.OK:
                return
            self.is_lost = True
            self.library.unload()
        self.library = Library(self._path)
        self.cryptoki = self.library.cryptoki
        self.is_lost = False


# PKCS#11 is initialised once a process; a second path to one file is the same module.
_loaded: Final[dict[Path, Module]] = {}
_lock: Final = threading.Lock()


def load(path: Path) -> Module:
    """Load and initialise the module, or return it if this process already did.

    Raises:
        ConfigError: no such file, not a PKCS#11 module, or it does not initialise.
    """
    path = Path(os.path.realpath(path))
    with _lock:
        if path not in _loaded:
            _loaded[path] = _initialised(path)
        return _loaded[path]


def _initialised(path: Path) -> Module:
    if not path.is_file():
        raise ConfigError(f"PKCS#11 module {path}: no such file")
    try:
        library = Library(str(path))
    except TokenError as error:
        raise ConfigError(f"PKCS#11 module {path}: C_Initialize answered {error}") from None
    except PKCS11Error as error:
        reason = str(error) or describe(code_of(error))
        raise ConfigError(f"PKCS#11 module {path}: {reason}") from None
    module = Module(library, library.cryptoki)
    atexit.register(module.finalize)  # threads have ended by then
    return module
