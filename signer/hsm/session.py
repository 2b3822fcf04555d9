"""One session with the handles of its keys, each shown to be the right key."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pkcs11

from policy.algorithms import Digest
from signer.errors import ConfigError
from signer.hsm.catalogue import KNOWN_ANSWER_MESSAGE, Entry
from signer.hsm.cryptoki import CkMechanism, Cryptoki, SignBuffer
from signer.hsm.handles import close, handle
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.verify import verifier


@dataclass(slots=True, eq=False)
class Handles:
    """What the keys on a token are called in one generation.

    ``proved`` says whether each key that is expected has shown that it is the right one.
    """

    generation: int
    keys: Mapping[KeyVersion, int]
    proved: bool = False


class BoundSession:
    """Signs with the key handles of one generation. It belongs to one thread.

    Args:
        session: is the caller's to close until it has proved its keys.
        cryptoki: the functions of its module.
        found: where the keys are.
        names: those that are expected.
        closed: called at the end.

    Attributes:
        handle: the session's.
        handles: of the keys that are expected, in their order.
        functions: the addresses of ``C_SignInit`` and ``C_Sign``.
    """

    def __init__(
        self,
        session: pkcs11.Session,
        cryptoki: Cryptoki,
        found: Handles,
        names: Iterable[KeyVersion],
        closed: Callable[[], None],
    ) -> None:
        self.generation = found.generation
        self.found = found
        self._session = session
        self._cryptoki = cryptoki
        self._closed = closed
        self.handle = handle(session)
        self.handles = tuple(found.keys[name] for name in names)
        self.functions = cryptoki.addresses
        self._buffer = SignBuffer(cryptoki, self.handle)

    def prove(self, entries: Iterable[Entry]) -> None:
        """Let keys show that they are the right ones: a handle may be another key by now.

        A probe signature is verified in software; an HMAC key must give its known answer.

        Raises:
            ConfigError: a key is another one.
            TokenError: as the token says.
        """
        for entry in entries:
            self._probe(entry)

    def sign(self, name: KeyVersion, mechanism: CkMechanism, data: bytes) -> bytes:
        """Return what the token makes of ``data``: not normalised, not verified.

        Raises:
            TokenError: as the token says.
        """
        return self._buffer.sign(mechanism, self.found.keys[name], data)

    def ping(self) -> int:
        """Keep the link alive; returns the token's code."""
        return self._cryptoki.ping(self.handle)

    def close(self) -> None:
        """Close the session."""
        close(self._session)
        self._closed()

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
