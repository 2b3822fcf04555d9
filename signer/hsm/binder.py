"""Gives each session of a slot the handles of its keys, shown to be the right keys."""

from collections.abc import Callable, Mapping
from typing import Final

from signer.errors import ConfigError
from signer.hsm import catalogue
from signer.hsm.catalogue import Entry, Found
from signer.hsm.errors import Action, TokenError
from signer.hsm.handles import close, handle
from signer.hsm.names import KeyVersion
from signer.hsm.session import BoundSession, Handles
from signer.hsm.token import Token


class Binder:
    """Looks for the keys once a generation, however many sessions there are.

    A handle is for all of an application's sessions (PKCS#11 v2.40, section 3.4). So the
    first session of a generation finds the keys and lets each prove itself, and the others
    take over its handles, until one of them fails in a way that casts doubt on them. Since
    a token may do otherwise, they prove some keys, too: one of each algorithm, and all whose
    signatures nobody can verify later. A session that fails that looks for the keys itself.

    One thread at a time, but for ``doubt``.
    """

    def __init__(self, token: Token) -> None:
        self._token: Final = token
        self._expected: Mapping[KeyVersion, Entry] = {}
        self._sample: tuple[Entry, ...] = ()
        self._known: Handles | None = None

    def read(self, generation: int) -> dict[KeyVersion, Entry]:
        """Read what is on the token.

        Raises:
            ConfigError: a key on it is damaged.
            PKCS11Error, TokenError: as the token says.
        """
        session = self._token.open()
        try:
            found = catalogue.read(self._token.cryptoki, handle(session))
        finally:
            close(session)
        self._known = _handles(generation, found)
        return {name: each.entry for name, each in found.items()}

    def expect(self, entries: Mapping[KeyVersion, Entry]) -> None:
        """Set the keys that every session must show."""
        one_each: dict[object, Entry] = {}
        for name, entry in entries.items():
            algorithms = entry.public_key.algorithms
            one_each.setdefault(name if entry.known_answer else algorithms, entry)
        self._expected, self._sample = entries, tuple(one_each.values())

    def open(self, generation: int, closed: Callable[[], None]) -> BoundSession:
        """Open a session of a generation; ``closed`` is called at its end.

        Raises:
            ConfigError: the token holds other keys.
            PKCS11Error, TokenError: as the token says.
        """
        known = self._known
        if known is not None and known.generation == generation:
            try:
                return self._opened(lambda _: known, closed)
            except (ConfigError, TokenError) as error:
                self.doubt(known)
                if isinstance(error, TokenError) and error.action is not Action.REBIND:
                    raise
        return self._opened(lambda session: self._find(session, generation), closed)

    def doubt(self, handles: Handles) -> None:
        """Have the next session look for the keys again, if it would take these handles."""
        if self._known is handles:
            self._known = None

    def _opened(
        self, handles_of: Callable[[int], Handles], closed: Callable[[], None]
    ) -> BoundSession:
        session = self._token.open()
        try:
            handles = handles_of(handle(session))
            bound = BoundSession(session, self._token.cryptoki, handles, self._expected, closed)
            bound.prove(self._sample if handles.proved else self._expected.values())
        except BaseException:
            close(session)
            raise
        handles.proved = True
        self._known = handles
        return bound

    def _find(self, session: int, generation: int) -> Handles:
        found = catalogue.read(self._token.cryptoki, session)
        for name, entry in self._expected.items():
            if name not in found or found[name].entry.identity != entry.identity:
                raise ConfigError(f"{name}: the token now holds another key")
        return _handles(generation, found)


def _handles(generation: int, found: Mapping[KeyVersion, Found]) -> Handles:
    return Handles(generation, {name: each.handle for name, each in found.items()})
