"""How key versions are named on the token and everywhere else."""

import re
from typing import Final, NamedTuple, Self

from signer.errors import ConfigError

_KEY: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")


class KeyVersion(NamedTuple):
    """One version of a key; equal to the plain tuple of the two."""

    key: str
    version: int

    def __str__(self) -> str:
        return f"keys/{self.key}/versions/{self.version}"

    @property
    def id(self) -> bytes:
        """The CKA_ID of its objects, ASCII ``{key}/{version}``."""
        return f"{self.key}/{self.version}".encode("ascii")

    @classmethod
    def checked(cls, key: str, version: int) -> Self:
        """Build a name that an operator gave.

        Raises:
            ConfigError: it does not follow the grammar.
        """
        if not _KEY.fullmatch(key):
            raise ConfigError(
                f"key name {key!r}: needs 1 to 63 of a-z, 0-9 and inner hyphens, such as wd-usdc"
            )
        if not _VERSION.fullmatch(str(version)):
            raise ConfigError(f"key version {version}: needs 1 to 999999999")
        return cls(key, version)

    @classmethod
    def from_id(cls, identifier: bytes) -> Self | None:
        """Parse a CKA_ID; None for an object that is not this service's."""
        key, slash, version = identifier.decode("ascii", "replace").partition("/")
        if slash and _KEY.fullmatch(key) and _VERSION.fullmatch(version):
            return cls(key, int(version))
        return None
