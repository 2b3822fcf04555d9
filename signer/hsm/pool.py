"""The pool: keys that are ready to sign, and the only way to a signature."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pkcs11.constants import MechanismFlag
from pkcs11.exceptions import PKCS11Error

from policy.algorithms import Algorithm
from signer.approval import Approval
from signer.errors import ConfigError, HsmRefusedError, HsmUnavailableError, SignatureInvalidError
from signer.hsm import catalogue
from signer.hsm.catalogue import Entry
from signer.hsm.errors import code_of, describe, signing_error
from signer.hsm.mechanisms import SCHEMES, Scheme
from signer.hsm.names import KeyVersion
from signer.hsm.public_key import PublicKey
from signer.hsm.session import BoundSession, close
from signer.hsm.sessions import Sessions
from signer.hsm.token import Token
from signer.hsm.verify import Verifier, verifier


@dataclass(frozen=True, slots=True)
class _Way:
    """How to sign with one key version by one algorithm."""

    name: KeyVersion
    scheme: Scheme
    verify: Verifier


class Pool:
    """Signs what an approval names, once. Thread-safe.

    It serves the key versions that are on the token when it starts.

    Args:
        token: where the keys are; it stays the caller's to close, after the pool.
        sessions: how many operations may be under way at once.
        redeem: uses an approval up, or raises ``ApprovalInvalidError``.

    Raises:
        ConfigError: a key on the token cannot be served; the message names it.
        HsmUnavailableError: the token does not open a session.
    """

    def __init__(self, token: Token, *, sessions: int, redeem: Callable[[Approval], None]) -> None:
        self._token = token
        self._redeem = redeem
        try:
            self._entries = _served(token)
            self._sessions = Sessions(self._bound_session, sessions)
        except PKCS11Error as error:
            message = f"token {token.label!r}: {describe(code_of(error))}"
            raise HsmUnavailableError(message) from error
        self._ways = _ways(self._entries)

    def sign(self, approval: Approval, deadline: float) -> bytes:
        """Sign exactly what was approved; the signature is verified before it leaves.

        Args:
            approval: outstanding; it is used up whatever comes of it.
            deadline: how long to wait for a session, in seconds of ``time.monotonic``.
                An operation that has begun is waited for.

        Returns:
            r || s for ECDSA (64 bytes, low-S on secp256k1), the plain octets for
            everything else.

        Raises:
            ApprovalInvalidError: forged, or used before.
            HsmRefusedError: no such key, algorithm or digest, or the token refuses.
            HsmUnavailableError: no session in time; nothing was signed.
            SignatureInvalidError: what the token gave does not verify.
            OutcomeUnknownError: the token may have signed.
        """
        self._redeem(approval)
        way = self._way(approval)
        data = way.scheme.token_input(approval.message, approval.digest)
        session = self._sessions.take(deadline)
        try:
            signature = _signature(session, way, data, approval)
        except BaseException:
            self._sessions.retire(session)
            raise
        self._sessions.give_back(session)
        return signature

    def public_key(self, key: str, version: int) -> PublicKey:
        """Return a key version's public half.

        Raises:
            HsmRefusedError: it was not on the token at the start.
        """
        name = KeyVersion(key, version)
        if name not in self._entries:
            raise HsmRefusedError(f"{name} is not on the token")
        return self._entries[name].public_key

    def serves(self, key: str, version: int, algorithm: Algorithm) -> bool:
        """Tell whether a key version is on the token and can sign by an algorithm."""
        return (key, version, algorithm) in self._ways

    def key_versions(self) -> tuple[KeyVersion, ...]:
        """Return the key versions that can sign, in order."""
        return tuple(sorted(self._entries))

    def close(self) -> None:
        """Take no more work; sessions at work are closed when they end."""
        self._sessions.close()

    def _bound_session(self) -> BoundSession:
        return BoundSession.bind(self._token.open(), self._entries)

    def _way(self, approval: Approval) -> _Way:
        way = self._ways.get((approval.key, approval.version, approval.algorithm))
        if way is None:
            message = f"{approval.key_version} does not sign {approval.algorithm} on this token"
            raise HsmRefusedError(message)
        return way


def _signature(session: BoundSession, way: _Way, data: bytes, approval: Approval) -> bytes:
    try:
        signature = way.scheme.normalise(session.sign(way.name, way.scheme, data))
    except PKCS11Error as error:
        raise signing_error(code_of(error)) from error
    if not way.verify(approval.message, approval.digest, signature):
        raise SignatureInvalidError(f"{way.name}: the token gave a signature that does not verify")
    return signature


def _ways(entries: Mapping[KeyVersion, Entry]) -> dict[tuple[str, int, Algorithm], _Way]:
    return {
        (*name, algorithm): _Way(name, SCHEMES[algorithm], verifier(entry.public_key, algorithm))
        for name, entry in entries.items()
        for algorithm in entry.public_key.algorithms
    }


def _served(token: Token) -> dict[KeyVersion, Entry]:
    """Read what is on the token, less the algorithms that it has no mechanism for."""
    session = token.open()
    try:
        entries = catalogue.read(session)
    finally:
        close(session)
    return {name: _narrowed(token, entry) for name, entry in entries.items()}


def _narrowed(token: Token, entry: Entry) -> Entry:
    public_key = entry.public_key
    algorithms = frozenset(
        algorithm
        for algorithm in public_key.algorithms
        if token.can(SCHEMES[algorithm].mechanism, MechanismFlag.SIGN)
    )
    if not algorithms:
        wanted = ", ".join(sorted(public_key.algorithms))
        raise ConfigError(f"{public_key.name}: token {token.label!r} has no mechanism for {wanted}")
    return replace(entry, public_key=replace(public_key, algorithms=algorithms))
