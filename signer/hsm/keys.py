"""Making keys on the token: generate, and import a shared secret.

Private and secret keys are token objects, private, sensitive, never extractable,
not modifiable, and may do nothing but sign.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.constants import MechanismFlag
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import SignMixin

from policy.algorithms import Algorithm
from signer.errors import ConfigError
from signer.hsm import catalogue
from signer.hsm.catalogue import CURVES, KNOWN_ANSWER_MESSAGE, Template
from signer.hsm.errors import TokenError, code_of, describe
from signer.hsm.handles import close, handle
from signer.hsm.mechanisms import MAC_SIZES, SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.public_key import RSA_ALGORITHMS, RSA_BITS, PublicKey
from signer.hsm.token import Token

MIN_SECRET_SIZE: Final = 16  # bytes

_SIGN_ONLY: Final[Template] = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}
_PRIVATE_KEY: Final[Template] = {**_SIGN_ONLY, Attribute.SIGN_RECOVER: False}
_PUBLIC_KEY: Final[Template] = {Attribute.TOKEN: True, Attribute.PRIVATE: False}
_SECRET_KEY: Final[Template] = {
    **_SIGN_ONLY,
    Attribute.VERIFY: False,
    Attribute.ENCRYPT: False,
    Attribute.WRAP: False,
}
_KNOWN_ANSWER: Final[Template] = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.MODIFIABLE: False,
}


def generate(
    token: Token, name: KeyVersion, algorithm: Algorithm, *, bits: int | None = None
) -> PublicKey:
    """Generate a key version on the token.

    Args:
        token: where.
        name: its key and version; never overwritten.
        algorithm: what it is for. An RSA key serves both paddings: the policy picks.
        bits: the modulus of an RSA key, 2048 to 4096, and None for the others.

    Raises:
        ConfigError: it exists, ``bits`` does not fit, or the token refuses; nothing
            of the key stays on the token.
    """
    _check_bits(algorithm, bits)
    with _writing(token, name) as session:
        if algorithm.is_mac:
            secret_key = session.generate_key(
                KeyType.GENERIC_SECRET,
                MAC_SIZES[algorithm] * 8,
                id=name.id,
                label=name.key,
                store=True,
                capabilities=MechanismFlag.SIGN,
                template=_SECRET_KEY,
            )
            _record_known_answer(session, name, algorithm, secret_key)
        else:
            generate_pair(session, name, algorithm, bits)
        return _public_key(token, session, name)


def import_secret(token: Token, name: KeyVersion, algorithm: Algorithm, secret: bytes) -> PublicKey:
    """Put a shared secret on the token as an HMAC key version.

    A secret that is shorter than the hash is padded with zeros to its length, as some
    tokens want it; RFC 2104, section 2, does the same, so the MACs are the same.

    Raises:
        ConfigError: it exists, under this name or another, the secret is too short, the
            algorithm is not a MAC, or the token refuses; nothing of it stays there.
    """
    if not algorithm.is_mac:
        raise ConfigError(f"{algorithm} keys are generated on the token and never imported")
    if len(secret) < MIN_SECRET_SIZE:
        raise ConfigError(f"the secret has {len(secret)} bytes, needs at least {MIN_SECRET_SIZE}")
    with _writing(token, name) as session:
        template = {
            **_SECRET_KEY,
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
            Attribute.ID: name.id,
            Attribute.LABEL: name.key,
            Attribute.VALUE: secret.ljust(MAC_SIZES[algorithm], b"\0"),
        }
        _record_known_answer(session, name, algorithm, session.create_object(template))
        return _public_key(token, session, name)


def list_keys(token: Token) -> list[PublicKey]:
    """List the key versions on the token, in order.

    Raises:
        ConfigError: a key version is damaged, or the token refuses.
    """
    with _session(token) as session:
        found = catalogue.read(token.cryptoki, handle(session))
        return [found[name].entry.public_key for name in sorted(found)]


def _check_bits(algorithm: Algorithm, bits: int | None) -> None:
    if algorithm in RSA_ALGORITHMS:
        if bits not in RSA_BITS:
            raise ConfigError(f"an RSA key has 2048 to 4096 bits, in steps of 8, not {bits}")
    elif bits is not None:
        raise ConfigError(f"{algorithm} fixes the key's size: bits are for RSA only")


@contextmanager
def _session(token: Token, *, rw: bool = False) -> Iterator[pkcs11.Session]:
    try:
        session = token.open(rw=rw)
        try:
            yield session
        finally:
            close(session)
    except (PKCS11Error, TokenError) as error:
        code = error.code if isinstance(error, TokenError) else code_of(error)
        raise ConfigError(f"token {token.label!r} answered {describe(code)}") from error


@contextmanager
def _writing(token: Token, name: KeyVersion) -> Iterator[pkcs11.Session]:
    """Open a session to make a key version in: all of it stays, or nothing."""
    with _session(token, rw=True) as session:
        if _objects(session, name):
            raise ConfigError(f"{name} exists; a key version is never overwritten")
        try:
            yield session
        except BaseException:
            for half_made in _objects(session, name):
                half_made.destroy()
            raise


def _objects(session: pkcs11.Session, name: KeyVersion) -> list[pkcs11.Object]:
    templates: tuple[Template, ...] = (
        {Attribute.ID: name.id},
        catalogue.known_answer_template(name),
    )
    return [found for template in templates for found in session.get_objects(template)]


def generate_pair(
    session: pkcs11.Session, name: KeyVersion, algorithm: Algorithm, bits: int | None
) -> None:
    """Generate a pair in a writing session, whatever else is on the token; see ``generate``."""
    options: dict[str, Any] = {
        "id": name.id,
        "label": name.key,
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "private_template": _PRIVATE_KEY,
        "public_template": _PUBLIC_KEY,
    }
    if algorithm in RSA_ALGORITHMS:
        session.generate_keypair(KeyType.RSA, bits, **options)
        return
    key_type = KeyType.EC_EDWARDS if algorithm is Algorithm.ED25519 else KeyType.EC
    curve = {Attribute.EC_PARAMS: CURVES[algorithm]}
    session.create_domain_parameters(key_type, curve, local=True).generate_keypair(**options)


def _record_known_answer(
    session: pkcs11.Session, name: KeyVersion, algorithm: Algorithm, key: pkcs11.Object
) -> None:
    answer = cast("SignMixin", key).sign(
        KNOWN_ANSWER_MESSAGE, mechanism=SCHEMES[algorithm].mechanism
    )
    session.create_object(
        {
            **catalogue.known_answer_template(name),
            **_KNOWN_ANSWER,
            Attribute.VALUE: f"{algorithm}:{answer.hex()}".encode("ascii"),
        }
    )


def _public_key(token: Token, session: pkcs11.Session, name: KeyVersion) -> PublicKey:
    return catalogue.read(token.cryptoki, handle(session))[name].entry.public_key
