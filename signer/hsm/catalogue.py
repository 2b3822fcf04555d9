"""What signing keys a token holds, and how each is recognised again.

A key version is the objects whose CKA_ID is ASCII ``{key}/{version}``: a private
and a public key, or a secret key and its known answer. Other objects on the token
are left alone.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import pkcs11
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, ObjectClass

from policy.algorithms import Algorithm
from signer.errors import ConfigError
from signer.hsm import objects
from signer.hsm.cryptoki import Cryptoki
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

_FALSE, _TRUE = map(objects.encoded, (False, True))
_SIGNER: Final = (
    Attribute.ID,
    Attribute.CLASS,
    Attribute.KEY_TYPE,
    Attribute.EXTRACTABLE,
    Attribute.SENSITIVE,
)

_T = TypeVar("_T")
Template = dict[Attribute, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key version: its public half and, of an HMAC key, the known answer."""

    public_key: PublicKey
    known_answer: bytes = b""

    @property
    def identity(self) -> bytes:
        """What no other key has, whatever its name: the public half or the known answer."""
        return self.public_key.encoded or self.known_answer


class Found(NamedTuple):
    """A key version, and the handle of the object that signs for it."""

    entry: Entry
    handle: int


def read(cryptoki: Cryptoki, session: int) -> dict[KeyVersion, Found]:
    """List every key version on the token, with one look at each object.

    Raises:
        ConfigError: a key version is incomplete, doubled, of an unknown kind, or the
            same key as another: two names would mean two limits.
        TokenError: as the token says.
    """
    signers = _signers(cryptoki, session)
    kinds = {signer.kind for signer in signers.values()}
    halves = {kind: _halves(cryptoki, session, kind) for kind in kinds}
    found = {}
    for name, signer in signers.items():
        half = _one(halves[signer.kind].get(name.id, ()), name, signer.kind.half)
        found[name] = Found(signer.kind.describe(name, *half), signer.handle)
    _refuse_twins(found)
    return found


def signing_key(session: pkcs11.Session, name: KeyVersion) -> pkcs11.Object:
    """Find the object that signs for a key version."""
    template = {Attribute.ID: name.id, Attribute.SIGN: True}
    return _one(_all(session, template), name, "signing key")


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


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """Keys that are described by another object, the ``half``.

    Of the half, ``attributes`` begin with the one that has the id of the key version; the
    others are what ``describe`` makes an entry of.
    """

    half: str
    template: objects.Template
    attributes: tuple[Attribute, ...]
    describe: Callable[..., Entry]


class _Signer(NamedTuple):
    """A private or a secret key."""

    kind: _Kind
    handle: int


def _signers(cryptoki: Cryptoki, session: int) -> dict[KeyVersion, _Signer]:
    """Find the objects that sign."""
    signers: dict[KeyVersion, _Signer] = {}
    taken: Counter[KeyVersion] = Counter()
    template = {Attribute.TOKEN: True, Attribute.SIGN: True}
    for handle, (identifier, *kind, extractable, sensitive) in objects.find(
        cryptoki, session, template, _SIGNER
    ):
        name = KeyVersion.from_id(identifier)
        if name is None:
            continue
        taken[name] += 1
        known = _KINDS.get(tuple(kind))
        if known is None:
            continue
        if extractable != _FALSE or sensitive != _TRUE:
            raise ConfigError(f"{name} can leave the token: it is extractable or not sensitive")
        signers[name] = _Signer(known, handle)
    for name in signers:
        if taken[name] > 1:
            raise ConfigError(f"{name}: two keys on the token have this name")
    return signers


def _halves(cryptoki: Cryptoki, session: int, kind: _Kind) -> dict[bytes, list[list[bytes]]]:
    """Find the other halves of a kind of keys, by the id of the key version."""
    found: dict[bytes, list[list[bytes]]] = {}
    for _, (identifier, *values) in objects.find(cryptoki, session, kind.template, kind.attributes):
        found.setdefault(identifier, []).append(values)
    return found


def _all(session: pkcs11.Session, template: Template) -> list[pkcs11.Object]:
    # An iterator that is left open holds the session's lock.
    return list(session.get_objects(template))


def _one(found: Sequence[_T], name: KeyVersion, what: str) -> _T:
    if len(found) != 1:
        raise ConfigError(f"{name}: the token has {len(found)} of its {what}, needs exactly one")
    return found[0]


def _curve(name: KeyVersion, parameters: bytes, point: bytes) -> Entry:
    algorithm = _ALGORITHM_OF_CURVE.get(parameters)
    if algorithm is None:
        raise ConfigError(f"{name}: its curve is none of P-256, secp256k1 and Ed25519")
    public_key = PublicKey(name, frozenset({algorithm}), _unwrapped(point))
    try:
        public_key.load()
    except ValueError:
        raise ConfigError(f"{name}: its CKA_EC_POINT is not a point on the curve") from None
    return Entry(public_key)


def _unwrapped(point: bytes) -> bytes:
    """Take the DER OCTET STRING off; some tokens give the point without it."""
    return point[2:] if point[:2] == _OCTET_STRINGS.get(len(point)) else point


def _rsa(name: KeyVersion, modulus: bytes, exponent: bytes) -> Entry:
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))
    if numbers.n.bit_length() not in RSA_BITS:
        raise ConfigError(f"{name}: RSA of {numbers.n.bit_length()} bits, needs 2048 to 4096")
    encoded = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Entry(PublicKey(name, RSA_ALGORITHMS, encoded))


def _secret(name: KeyVersion, record: bytes) -> Entry:
    tag, _, answer = record.decode("ascii", "replace").partition(":")
    for algorithm, size in MAC_SIZES.items():
        if tag == algorithm and len(answer) == 2 * size and _HEX.fullmatch(answer):
            return Entry(PublicKey(name, frozenset({algorithm}), b""), bytes.fromhex(answer))
    raise ConfigError(f"{name}: its known answer on the token is damaged")


def _pairs(key_type: KeyType, describe: Callable[..., Entry], *material: Attribute) -> _Kind:
    template = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.KEY_TYPE: key_type}
    return _Kind("public key", template, (Attribute.ID, *material), describe)


_CURVE: Final = (Attribute.EC_PARAMS, Attribute.EC_POINT)
_KNOWN_ANSWERS: Final[objects.Template] = {
    Attribute.CLASS: ObjectClass.DATA,
    Attribute.APPLICATION: KNOWN_ANSWER_APPLICATION.encode("ascii"),
}
_KINDS: Final[Mapping[tuple[bytes, ...], _Kind]] = {
    tuple(map(objects.encoded, kind)): known
    for kind, known in {
        (ObjectClass.PRIVATE_KEY, KeyType.EC): _pairs(KeyType.EC, _curve, *_CURVE),
        (ObjectClass.PRIVATE_KEY, KeyType.EC_EDWARDS): _pairs(KeyType.EC_EDWARDS, _curve, *_CURVE),
        (ObjectClass.PRIVATE_KEY, KeyType.RSA): _pairs(
            KeyType.RSA, _rsa, Attribute.MODULUS, Attribute.PUBLIC_EXPONENT
        ),
        (ObjectClass.SECRET_KEY, KeyType.GENERIC_SECRET): _Kind(
            "known answer", _KNOWN_ANSWERS, (Attribute.LABEL, Attribute.VALUE), _secret
        ),
    }.items()
}


def _refuse_twins(found: Mapping[KeyVersion, Found]) -> None:
    first: dict[bytes, KeyVersion] = {}
    for name in sorted(found):
        twin = first.setdefault(found[name].entry.identity, name)
        if twin != name:
            raise ConfigError(f"{name} is the same key as {twin}; destroy one of them")
