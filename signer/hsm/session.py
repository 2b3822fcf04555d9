"""One session with the handles of its keys, each shown to be the right key."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Self, cast

import pkcs11
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import SignMixin

from policy.algorithms import Algorithm, Digest
from signer.errors import ConfigError
from signer.hsm.catalogue import KNOWN_ANSWER_MESSAGE, Entry, read, signing_key
from signer.hsm.mechanisms import SCHEMES, Scheme
from signer.hsm.names import KeyVersion
from signer.hsm.verify import verifier

# Room for the longest signature there is: RSA of 8,192 bits.
_SIGNATURE_ROOM: Final = 1024


class BoundSession:
    """Signs with cached key handles. Not thread-safe: one operation at a time."""

    def __init__(self, session: pkcs11.Session, keys: Mapping[KeyVersion, pkcs11.Object]) -> None:
        self._session = session
        self._keys = keys

    @classmethod
    def bind(cls, session: pkcs11.Session, expected: Mapping[KeyVersion, Entry]) -> Self:
        """Find each expected key on the token again and let it prove itself.

        A handle may be another key after a reconnect, so the public key is compared,
        and a probe signature is verified in software; an HMAC key must give its known
        answer.

        Raises:
            ConfigError: the token holds another key than the one expected.
            PKCS11Error: as the token says. The session is closed in any case.
        """
        try:
            keys = _proven_keys(session, expected)
        except BaseException:
            close(session)
            raise
        return cls(session, keys)

    def sign(self, name: KeyVersion, scheme: Scheme, data: bytes) -> bytes:
        """Return what the token makes of ``data``: not normalised, not verified.

        Raises:
            HsmRefusedError: ``data`` is not what the scheme signs; the token was not asked.
            PKCS11Error: as the token says.
        """
        return sign(self._keys[name], scheme, data)

    def close(self) -> None:
        """Close the session."""
        close(self._session)


def close(session: pkcs11.Session) -> None:
    """Close a session; one that cannot be closed is gone already."""
    with suppress(PKCS11Error):
        session.close()


def sign(key: pkcs11.Object, scheme: Scheme, data: bytes) -> bytes:
    """Sign with a key object; see ``BoundSession.sign``."""
    scheme.check_input(data)
    return cast("SignMixin", key).sign(
        data,
        mechanism=scheme.mechanism,
        mechanism_param=scheme.parameters,
        buffer_size=_SIGNATURE_ROOM,
    )


def _proven_keys(
    session: pkcs11.Session, expected: Mapping[KeyVersion, Entry]
) -> dict[KeyVersion, pkcs11.Object]:
    found = read(session)
    keys = {}
    for name, entry in expected.items():
        if name not in found or found[name].identity != entry.identity:
            raise ConfigError(f"{name}: the token now holds another key")
        keys[name] = signing_key(session, name)
        for algorithm in entry.public_key.algorithms:
            _probe(keys[name], entry, algorithm)
    return keys


def _probe(key: pkcs11.Object, entry: Entry, algorithm: Algorithm) -> None:
    scheme = SCHEMES[algorithm]
    data = scheme.token_input(KNOWN_ANSWER_MESSAGE, Digest.NATIVE)
    answer = scheme.normalise(sign(key, scheme, data))
    verify = verifier(entry.public_key, algorithm)
    if not verify(KNOWN_ANSWER_MESSAGE, Digest.NATIVE, answer):
        raise ConfigError(f"{entry.public_key.name}: a probe signature does not verify")
    if entry.known_answer not in (b"", answer):
        raise ConfigError(f"{entry.public_key.name}: not the secret of its known answer")
