"""Keys are made so that they can sign and nothing else."""

from dataclasses import dataclass
from typing import Any, cast

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.constants import MechanismFlag
from pkcs11.exceptions import AttributeSensitive, DeviceMemory, KeyUnextractable, PKCS11Error

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.errors import ConfigError
from signer.hsm import Pool, Token, keys
from signer.hsm.catalogue import signing_key
from signer.hsm.names import KeyVersion

NAME = KeyVersion("wd-usdc", 1)
SECRET = b"s" * 40
ALL = list(Algorithm)


def _bits(algorithm: Algorithm) -> int | None:
    return 2048 if algorithm.startswith("rsa") else None


def _start(token: Token) -> None:
    Pool(token, sessions=1, redeem=Mint().redeem).close()


@pytest.mark.parametrize("algorithm", ALL)
def test_attributes(scratch: Token, algorithm: Algorithm) -> None:
    """A generated key is named, stays on the token for ever and may only sign."""
    keys.generate(scratch, NAME, algorithm, bits=_bits(algorithm))
    with scratch.open() as session:
        key = signing_key(session, NAME)
        assert key[Attribute.LABEL] == "wd-usdc"
        assert key[Attribute.ID] == b"wd-usdc/1"
        for attribute in ("TOKEN", "PRIVATE", "SENSITIVE", "SIGN", "LOCAL"):
            assert key[Attribute[attribute]] is True, attribute
        for attribute in ("ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE"):
            assert key[Attribute[attribute]] is True, attribute
        for attribute in ("EXTRACTABLE", "MODIFIABLE", "DECRYPT", "UNWRAP", "DERIVE"):
            assert key[Attribute[attribute]] is False, attribute


@pytest.mark.parametrize(
    ("algorithm", "attribute"),
    [
        (Algorithm.ECDSA_P256, Attribute.VALUE),
        (Algorithm.ECDSA_SECP256K1, Attribute.VALUE),
        (Algorithm.ED25519, Attribute.VALUE),
        (Algorithm.RSA_PSS_SHA256, Attribute.PRIVATE_EXPONENT),
        (Algorithm.RSA_PKCS1_SHA256, Attribute.PRIME_1),
        (Algorithm.HMAC_SHA256, Attribute.VALUE),
    ],
)
def test_never_extractable(scratch: Token, algorithm: Algorithm, attribute: Attribute) -> None:
    """No key can be read, wrapped, or made extractable afterwards."""
    keys.generate(scratch, NAME, algorithm, bits=_bits(algorithm))
    with scratch.open(rw=True) as session:
        key = signing_key(session, NAME)
        with pytest.raises(AttributeSensitive):
            _ = key[attribute]
        wrapping: Any = session.generate_key(KeyType.AES, 256, capabilities=MechanismFlag.WRAP)
        with pytest.raises(KeyUnextractable):
            wrapping.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP_PAD)
        for change in (Attribute.EXTRACTABLE, Attribute.SENSITIVE):
            with pytest.raises(PKCS11Error):
                key[change] = change is Attribute.EXTRACTABLE


def test_imported_secret_stays(scratch: Token) -> None:
    """A secret that was imported cannot be read back."""
    keys.import_secret(scratch, NAME, Algorithm.HMAC_SHA256, SECRET)
    with scratch.open() as session, pytest.raises(AttributeSensitive):
        _ = signing_key(session, NAME)[Attribute.VALUE]


@pytest.mark.parametrize("first", [Algorithm.ED25519, Algorithm.HMAC_SHA256])
def test_never_overwritten(scratch: Token, first: Algorithm) -> None:
    """A key version that exists is neither generated nor imported again, whatever its kind."""
    before = keys.generate(scratch, NAME, first)
    for algorithm in (Algorithm.ED25519, Algorithm.HMAC_SHA256):
        with pytest.raises(ConfigError, match="never overwritten"):
            keys.generate(scratch, NAME, algorithm)
    with pytest.raises(ConfigError, match="never overwritten"):
        keys.import_secret(scratch, NAME, Algorithm.HMAC_SHA512, SECRET)
    assert keys.list_keys(scratch) == [before]
    assert keys.generate(scratch, KeyVersion("wd-usdc", 2), first).name.version == 2


@pytest.mark.parametrize(
    ("algorithm", "bits"),
    [
        (Algorithm.RSA_PSS_SHA256, None),
        (Algorithm.RSA_PSS_SHA256, 1024),
        (Algorithm.RSA_PKCS1_SHA256, 2047),
        (Algorithm.RSA_PKCS1_SHA256, 8192),
        (Algorithm.ED25519, 256),
        (Algorithm.HMAC_SHA256, 2048),
    ],
)
def test_sizes(scratch: Token, algorithm: Algorithm, bits: int | None) -> None:
    """RSA needs 2048 to 4096 bits, and no other algorithm has a choice."""
    with pytest.raises(ConfigError, match="bits"):
        keys.generate(scratch, NAME, algorithm, bits=bits)


def test_largest_rsa(scratch: Token) -> None:
    """An RSA key of more bits signs as well."""
    keys.generate(scratch, NAME, Algorithm.RSA_PSS_SHA256, bits=3072)
    _start(scratch)


@pytest.mark.parametrize("secret", [b"", b"x", b"x" * 15])
def test_short_secrets(scratch: Token, secret: bytes) -> None:
    """A secret below 16 bytes is refused."""
    with pytest.raises(ConfigError, match="needs at least 16"):
        keys.import_secret(scratch, NAME, Algorithm.HMAC_SHA256, secret)


def test_only_macs_are_imported(scratch: Token) -> None:
    """A private key is never imported."""
    with pytest.raises(ConfigError, match="never imported"):
        keys.import_secret(scratch, NAME, Algorithm.ED25519, SECRET)


@dataclass
class ReadOnlyToken:
    """The real token, but every session is read-only."""

    real: Token
    label: str = "read-only"

    def open(self, *, rw: bool = False) -> pkcs11.Session:
        """Open a session that cannot write."""
        assert rw
        return self.real.open()


def test_token_that_refuses(scratch: Token) -> None:
    """What the token answers to a key that it will not make is told."""
    token = cast("Token", ReadOnlyToken(scratch))
    with pytest.raises(ConfigError, match="'read-only' answered CKR_SESSION_READ_ONLY"):
        keys.generate(token, NAME, Algorithm.ED25519)


def test_list(scratch: Token) -> None:
    """Keys are listed by name and version, with what they can sign."""
    for version in (2, 10):
        keys.generate(scratch, KeyVersion("b", version), Algorithm.ED25519)
    keys.generate(scratch, KeyVersion("a", 1), Algorithm.HMAC_SHA384)
    listed = [(str(key.name), *key.algorithms) for key in keys.list_keys(scratch)]
    assert listed == [
        ("keys/a/versions/1", Algorithm.HMAC_SHA384),
        ("keys/b/versions/2", Algorithm.ED25519),
        ("keys/b/versions/10", Algorithm.ED25519),
    ]


@dataclass
class DatalessSession:
    """A real session on a token that has no room for data objects."""

    real: pkcs11.Session

    def create_object(self, template: dict[Attribute, Any]) -> pkcs11.Object:
        """Create keys only."""
        if template[Attribute.CLASS] is ObjectClass.DATA:
            raise DeviceMemory
        return self.real.create_object(template)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass
class DatalessToken:
    """A real token that has no room for data objects."""

    real: Token
    label: str = "full"

    def open(self, *, rw: bool = False) -> DatalessSession:
        """Open a session."""
        return DatalessSession(self.real.open(rw=rw))


def test_half_made_secret_is_taken_back(scratch: Token) -> None:
    """If the known answer cannot be stored the secret key does not stay either."""
    token = cast("Token", DatalessToken(scratch))
    with pytest.raises(ConfigError, match="'full' answered CKR_DEVICE_MEMORY"):
        keys.import_secret(token, NAME, Algorithm.HMAC_SHA256, SECRET)
    with scratch.open() as session:
        assert list(session.get_objects()) == []


@pytest.mark.parametrize("key", ["", "-a", "a-", "A", "a_b", "a/b", "ä", "a" * 64, "a b", "a\n"])
def test_key_names(key: str) -> None:
    """A key's name follows the grammar, in full."""
    with pytest.raises(ConfigError, match="key name"):
        KeyVersion.checked(key, 1)


@pytest.mark.parametrize("version", [0, -1, 10**9])
def test_key_version_numbers(version: int) -> None:
    """A version is a positive number of at most nine digits."""
    with pytest.raises(ConfigError, match="key version"):
        KeyVersion.checked("a", version)


def test_ids() -> None:
    """A name and the id of its objects are two forms of one thing."""
    for key in ("a", "0", "a-b", "a" * 63):
        name = KeyVersion.checked(key, 7)
        assert KeyVersion.from_id(name.id) == name
        assert str(name) == f"keys/{key}/versions/7"
