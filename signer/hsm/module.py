"""Loads a PKCS#11 module so that several threads may use it.

python-pkcs11 calls ``C_Initialize(NULL)``, which promises the module that only
one thread will call it (PKCS#11 v2.40, section 5.4), and then drops the GIL in
every call. So the module is finalised and initialised again with
``CKF_OS_LOCKING_OK``; python-pkcs11 keeps its function table and does not notice.

A process that loaded a module must never fork: spawn.
"""

import atexit
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pkcs11
from pkcs11.constants import TokenFlag
from pkcs11.exceptions import PKCS11Error, TokenNotPresent, TokenNotRecognised

from signer.errors import ConfigError
from signer.hsm.cryptoki import Cryptoki
from signer.hsm.errors import Ckr, code_of, describe

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib as Library  # noqa: N812 - a class with a small letter


@dataclass(frozen=True, slots=True)
class Module:
    """A loaded module: python-pkcs11's view of it and the plain functions."""

    library: "Library"
    cryptoki: Cryptoki

    def tokens(self) -> Iterator[pkcs11.Token]:
        """Yield the initialised tokens."""
        for slot in self.library.get_slots(token_present=True):
            try:
                token = slot.get_token()
            except (TokenNotPresent, TokenNotRecognised):
                continue
            if token.flags & TokenFlag.TOKEN_INITIALIZED:
                yield token

    def abandon(self) -> None:
        """Do not finalise it when the process ends: where a call hangs, that may hang as well."""
        atexit.unregister(self.cryptoki.finalize)


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
        library = pkcs11.lib(str(path))
        library.finalize()
    except PKCS11Error as error:
        reason = str(error) or describe(code_of(error))
        raise ConfigError(f"PKCS#11 module {path}: {reason}") from None
    cryptoki = Cryptoki(path)
    code = cryptoki.initialize()
    if code != Ckr.OK:
        raise ConfigError(f"PKCS#11 module {path}: C_Initialize answered {describe(code)}")
    # python-pkcs11 believes that it is finalised already; threads have ended by then.
    atexit.register(cryptoki.finalize)
    return Module(library, cryptoki)
