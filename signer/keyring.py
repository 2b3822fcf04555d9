"""The keys as a caller may see them: only those that it has a grant for."""

from collections.abc import Callable

from policy.algorithms import Algorithm
from policy.payloads import bitcoin, ethereum
from policy.reasons import Code
from policy.rules import KeyPolicy, Policy
from signer.errors import NoPublicKeyError, SigngateError
from signer.hsm import Pool, PublicKey
from signer.model import Caller
from signer.v1 import resources_pb2 as pb


class KeyDeniedError(SigngateError):
    """There is no such key, or the caller has no grant for it: both look the same."""

    code = Code.KEY_DENIED


class Keyring:
    """Joins the active policy with the token's public keys."""

    def __init__(self, policy: Callable[[], Policy | None], pool: Pool) -> None:
        self._policy = policy
        self._pool = pool

    def key(self, caller: Caller, key: str) -> pb.Key:
        """Describe one key.

        Raises:
            KeyDeniedError: unknown, or not granted to the caller.
        """
        return _described(key, self._granted(caller, key))

    def keys(self, caller: Caller, after: str) -> list[pb.Key]:
        """Describe the caller's keys whose names come after ``after``, by name."""
        policy = self._policy()
        keys = sorted(policy.keys.items()) if policy else []
        return [
            _described(name, found)
            for name, found in keys
            if name > after and caller.san in found.callers
        ]

    def public_key(self, caller: Caller, key: str, version: int | None) -> pb.PublicKey:
        """Return a public key; without a version, that of the primary one.

        Raises:
            KeyDeniedError: unknown, or not granted to the caller.
            NoPublicKeyError: an HMAC key has none.
        """
        found = self._granted(caller, key)
        if version not in (None, found.version):
            raise KeyDeniedError("refused by policy: KEY_DENIED")
        name = _version_name(key, found)
        if found.algorithm.is_mac:
            raise NoPublicKeyError(f"{name} is an HMAC key: it has no public half")
        public_key = self.public_key_of(name)
        response = pb.PublicKey(
            name=name, algorithm=_algorithm(found.algorithm), pem=public_key.pem()
        )
        if found.algorithm is Algorithm.ECDSA_SECP256K1:
            response.ethereum_address = ethereum.address_of(public_key.point)
            response.bitcoin_address = bitcoin.address_of(public_key.compressed)
        return response

    def public_key_of(self, key_version: str) -> PublicKey:
        """Return the public key of ``keys/{key}/versions/{version}`` as the pool found it."""
        _, key, _, version = key_version.split("/")
        return self._pool.public_key(key, int(version))

    def _granted(self, caller: Caller, key: str) -> KeyPolicy:
        policy = self._policy()
        found = policy.keys.get(key) if policy else None
        if found is None or caller.san not in found.callers:
            raise KeyDeniedError("refused by policy: KEY_DENIED")
        return found


def _described(name: str, key: KeyPolicy) -> pb.Key:
    return pb.Key(
        name=f"keys/{name}",
        primary_version=_version_name(name, key),
        algorithm=_algorithm(key.algorithm),
        payload_formats=sorted(key.formats),
    )


def _version_name(name: str, key: KeyPolicy) -> str:
    return f"keys/{name}/versions/{key.version}"


def _algorithm(algorithm: Algorithm) -> pb.Algorithm.ValueType:
    return pb.Algorithm.Value(f"ALGORITHM_{algorithm.name}")
