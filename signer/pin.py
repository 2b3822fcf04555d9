"""Where the token's PIN comes from. It is read when needed and kept nowhere."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from signer.errors import ConfigError


class PinProvider(Protocol):
    """Gives the user PIN of the token."""

    def pin(self) -> bytes:
        """Return the PIN.

        Raises:
            ConfigError: there is none; the message does not hold any part of it.
        """


@dataclass(frozen=True, slots=True)
class FilePin:
    """A file that holds the PIN and only its owner can read; one line end is dropped."""

    path: Path

    def pin(self) -> bytes:
        """Read the file."""
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read()
        except OSError as error:
            raise ConfigError(f"PIN file {self.path}: {error.strerror}") from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"PIN file {self.path}: mode is {mode:04o}, others may use it; make it 0400"
            )
        return _not_empty(content.removesuffix(b"\n"), f"PIN file {self.path}")


@dataclass(frozen=True, slots=True)
class EnvPin:
    """An environment variable that holds the PIN."""

    name: str

    def pin(self) -> bytes:
        """Read the variable."""
        return _not_empty(os.environb.get(self.name.encode(), b""), f"variable {self.name}")


def provider(file: Path | None = None, env: str | None = None) -> PinProvider:
    """Return the provider that a configuration names: exactly one of the two.

    Raises:
        ConfigError: none, or both.
    """
    if file is not None and env is None:
        return FilePin(file)
    if env is not None and file is None:
        return EnvPin(env)
    raise ConfigError("the PIN needs exactly one provider: a file or a variable")


def _not_empty(pin: bytes, source: str) -> bytes:
    if not pin:
        raise ConfigError(f"{source} holds no PIN")
    return pin
