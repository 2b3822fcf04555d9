"""What signing keys a token holds, and how each is recognised again.

A key version is the objects whose CKA_ID is ASCII ``{key}/{version}``: a private
and a public key, or a secret key and its known answer. Other objects on the token
are left alone.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pkcs11
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, ObjectClass

from policy.algorithms import Algorithm
from signer.errors import ConfigError
from signer.hsm.mechanisms import MAC_SIZES
from signer.hsm.names import KeyVersion
from signer.hsm.public_key import RSA_ALGORITHMS, RSA_BITS, PublicKey

# CKA_EC_PARAMS: DER object identifiers (SEC 2, section A.2; RFC 8410, section 3).
CURVES: Final[Mapping[Algorithm, bytes]] = {
    Algorithm.ECDSA_P256: bytes.fromhex("06082a8648ce3d030107"),
    Algorithm.ECDSA_SECP256K1: bytes.fromhex("06052b8104000a"),
    Algorithm.ED25519: bytes.fromhex("06032b6570"),
}
# PKCS#11 v3.0, section 2.3.10, also allows the curve's name.
_NAMED_ED25519: Final = b"\x13\x0cedwards25519"
_ALGORITHM_OF_CURVE: Final = {
    **{oid: algorithm for algorithm, oid in CURVES.items()},
    _NAMED_ED25519: Algorithm.ED25519,
}

# A DER OCTET STRING of a point, by its length: how it begins.
_OCTET_STRINGS: Final = {67: b"\x04\x41", 34: b"\x04\x20"}

KNOWN_ANSWER_APPLICATION: Final = "signgate known answer v1"
_HEX: Final = re.compile("[0-9a-f]+")
KNOWN_ANSWER_MESSAGE: Final = b"signgate known answer v1"

_SIGNING_KEY: Final = "signing key"

Template = dict[Attribute, Any]
Objects = Mapping[bytes, Sequence[pkcs11.Object]]
"""By CKA_ID."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key version: its public half and, of an HMAC key, the known answer."""

    public_key: PublicKey
    known_answer: bytes = b""

    @property
    def identity(self) -> bytes:
        """What no other key has, whatever its name: the public half or the known answer."""
        return self.public_key.encoded or self.known_answer


def read(session: pkcs11.Session) -> dict[KeyVersion, Entry]:
    """List every key version on the token.

    Raises:
        ConfigError: a key version is incomplete, doubled, of an unknown kind, or the
            same key as another: two names would mean two limits.
        PKCS11Error: as the token says.
    """
    entries: dict[KeyVersion, Entry] = {}
    publics = _by_id(session, {Attribute.CLASS: ObjectClass.PUBLIC_KEY})
    for (object_class, key_type), describe in _KINDS.items():
        for name in _names(session, object_class, key_type):
            if name in entries:
                raise ConfigError(f"{name}: two keys on the token have this name")
            entries[name] = describe(session, publics, name)
    _refuse_twins(entries)
    return entries


def signing_key(session: pkcs11.Session, name: KeyVersion) -> pkcs11.Object:
    """Find the object that signs for a key version."""
    template = {Attribute.ID: name.id, Attribute.SIGN: True}
    return _one(_all(session, template), name, _SIGNING_KEY)


def signing_keys(
    session: pkcs11.Session, names: Iterable[KeyVersion]
) -> dict[KeyVersion, pkcs11.Object]:
    """Find the objects that sign for key versions, in one pass over the token."""
    found = _by_id(session, {Attribute.SIGN: True})
    return {name: _one(found.get(name.id, ()), name, _SIGNING_KEY) for name in names}


def known_answer_template(name: KeyVersion) -> Template:
    """Return what identifies the CKO_DATA object with an HMAC key's known answer.

    Its CKA_VALUE is ASCII ``{algorithm}:{hex of the MAC}``, the MAC over
    ``KNOWN_ANSWER_MESSAGE``.
    """
    return {
        Attribute.CLASS: ObjectClass.DATA,
        Attribute.APPLICATION: KNOWN_ANSWER_APPLICATION,
        Attribute.LABEL: name.id.decode("ascii"),
    }


def _names(
    session: pkcs11.Session, object_class: ObjectClass, key_type: KeyType
) -> Iterator[KeyVersion]:
    template = {
        Attribute.CLASS: object_class,
        Attribute.KEY_TYPE: key_type,
        Attribute.TOKEN: True,
        Attribute.SIGN: True,
    }
    for key in _all(session, template):
        name = KeyVersion.from_id(key[Attribute.ID])
        if name is None:
            continue
        if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
            raise ConfigError(f"{name} can leave the token: it is extractable or not sensitive")
        yield name


def _all(session: pkcs11.Session, template: Template) -> list[pkcs11.Object]:
    # An iterator that is left open holds the session's lock.
    return list(session.get_objects(template))


def _by_id(session: pkcs11.Session, template: Template) -> Objects:
    """Group objects by CKA_ID: a search for each would look at every object each time."""
    found: dict[bytes, list[pkcs11.Object]] = {}
    for thing in _all(session, template):
        found.setdefault(thing[Attribute.ID], []).append(thing)
    return found


def _one(found: Sequence[pkcs11.Object], name: KeyVersion, what: str) -> pkcs11.Object:
    if len(found) != 1:
        raise ConfigError(f"{name}: the token has {len(found)} of its {what}, needs exactly one")
    return found[0]


def _public(publics: Objects, name: KeyVersion) -> pkcs11.Object:
    return _one(publics.get(name.id, ()), name, "public key")


def _curve(_session: pkcs11.Session, publics: Objects, name: KeyVersion) -> Entry:
    public = _public(publics, name)
    algorithm = _ALGORITHM_OF_CURVE.get(public[Attribute.EC_PARAMS])
    if algorithm is None:
        raise ConfigError(f"{name}: its curve is none of P-256, secp256k1 and Ed25519")
    encoded = _unwrapped(public[Attribute.EC_POINT])
    public_key = PublicKey(name, frozenset({algorithm}), encoded)
    try:
        public_key.load()
    except ValueError:
        raise ConfigError(f"{name}: its CKA_EC_POINT is not a point on the curve") from None
    return Entry(public_key)


def _unwrapped(point: bytes) -> bytes:
    """Take the DER OCTET STRING off; some tokens give the point without it."""
    return point[2:] if point[:2] == _OCTET_STRINGS.get(len(point)) else point


def _rsa(_session: pkcs11.Session, publics: Objects, name: KeyVersion) -> Entry:
    public = _public(publics, name)
    exponent = int.from_bytes(public[Attribute.PUBLIC_EXPONENT])
    modulus = int.from_bytes(public[Attribute.MODULUS])
    if modulus.bit_length() not in RSA_BITS:
        raise ConfigError(f"{name}: RSA of {modulus.bit_length()} bits, needs 2048 to 4096")
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Entry(PublicKey(name, RSA_ALGORITHMS, encoded))


def _secret(session: pkcs11.Session, _publics: Objects, name: KeyVersion) -> Entry:
    found = _one(_all(session, known_answer_template(name)), name, "known answer")
    record: bytes = found[Attribute.VALUE]
    tag, _, answer = record.decode("ascii", "replace").partition(":")
    for algorithm, size in MAC_SIZES.items():
        if tag == algorithm and len(answer) == 2 * size and _HEX.fullmatch(answer):
            return Entry(PublicKey(name, frozenset({algorithm}), b""), bytes.fromhex(answer))
    raise ConfigError(f"{name}: its known answer on the token is damaged")


_KINDS: Final[
    Mapping[tuple[ObjectClass, KeyType], Callable[[pkcs11.Session, Objects, KeyVersion], Entry]]
] = {
    (ObjectClass.PRIVATE_KEY, KeyType.EC): _curve,
    (ObjectClass.PRIVATE_KEY, KeyType.EC_EDWARDS): _curve,
    (ObjectClass.PRIVATE_KEY, KeyType.RSA): _rsa,
    (ObjectClass.SECRET_KEY, KeyType.GENERIC_SECRET): _secret,
}


def _refuse_twins(entries: Mapping[KeyVersion, Entry]) -> None:
    first: dict[bytes, KeyVersion] = {}
    for name, entry in sorted(entries.items()):
        twin = first.setdefault(entry.identity, name)
        if twin != name:
            raise ConfigError(f"{name} is the same key as {twin}; destroy one of them")
