"""One session with the handles of its keys, each shown to be the right key."""

from collections.abc import Callable, Mapping
from typing import Self

import pkcs11

from policy.algorithms import Digest
from signer.errors import ConfigError
from signer.hsm.catalogue import KNOWN_ANSWER_MESSAGE, Entry, read, signing_keys
from signer.hsm.cryptoki import CkMechanism, Cryptoki, SignBuffer
from signer.hsm.handles import close, handle
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.verify import verifier


class BoundSession:
    """Signs with the key handles of one generation. It belongs to one thread.

    Attributes:
        handle: the session's.
        handles: of the keys that were expected, in their order.
        functions: the addresses of ``C_SignInit`` and ``C_Sign``.
    """

    def __init__(
        self,
        session: pkcs11.Session,
        cryptoki: Cryptoki,
        generation: int,
        closed: Callable[[], None],
    ) -> None:
        self.generation = generation
        self._session = session
        self._cryptoki = cryptoki
        self._closed = closed
        self.handle = handle(session)
        self.handles: tuple[int, ...] = ()
        self.functions = cryptoki.addresses
        self._keys: dict[KeyVersion, int] = {}
        self._buffer = SignBuffer(cryptoki, self.handle)

    @classmethod
    def bind(
        cls,
        session: pkcs11.Session,
        cryptoki: Cryptoki,
        expected: Mapping[KeyVersion, Entry],
        generation: int,
        closed: Callable[[], None],
    ) -> Self:
        """Find each expected key on the token again and let it prove itself.

        A handle may be another key after a reconnect, so the public key is compared,
        and a probe signature is verified in software; an HMAC key must give its known
        answer. ``closed`` is called at the end of a session that was bound.

        Raises:
            ConfigError: the token holds another key than the one expected.
            PKCS11Error, TokenError: as the token says. The session is closed in any case.
        """
        bound = cls(session, cryptoki, generation, closed)
        try:
            bound._find(expected)
            for entry in expected.values():
                bound._probe(entry)
        except BaseException:
            close(session)
            raise
        return bound

    def sign(self, name: KeyVersion, mechanism: CkMechanism, data: bytes) -> bytes:
        """Return what the token makes of ``data``: not normalised, not verified.

        Raises:
            TokenError: as the token says.
        """
        return self._buffer.sign(mechanism, self._keys[name], data)

    def ping(self) -> int:
        """Keep the link alive; returns the token's code."""
        return self._cryptoki.ping(self.handle)

    def close(self) -> None:
        """Close the session."""
        close(self._session)
        self._closed()

    def _find(self, expected: Mapping[KeyVersion, Entry]) -> None:
        found = read(self._session)
        for name, entry in expected.items():
            if name not in found or found[name].identity != entry.identity:
                raise ConfigError(f"{name}: the token now holds another key")
        signing = signing_keys(self._session, expected)
        self._keys = {name: handle(key) for name, key in signing.items()}
        self.handles = tuple(self._keys[name] for name in expected)

    def _probe(self, entry: Entry) -> None:
        public_key = entry.public_key
        for algorithm in public_key.algorithms:
            scheme = SCHEMES[algorithm]
            data = scheme.token_input(KNOWN_ANSWER_MESSAGE, Digest.NATIVE)
            answer = scheme.normalise(self.sign(public_key.name, scheme.prepared, data))
            verify = verifier(public_key, algorithm)
            if not verify(KNOWN_ANSWER_MESSAGE, Digest.NATIVE, answer):
                raise ConfigError(f"{public_key.name}: a probe signature does not verify")
            if entry.known_answer not in (b"", answer):
                raise ConfigError(f"{public_key.name}: not the secret of its known answer")
