"""Keys found on a token are checked: those that this service would not make are refused."""

import hmac
from contextlib import closing
from typing import Any

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, ObjectClass

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.errors import ConfigError
from signer.hsm import Pool, Token, keys
from signer.hsm.catalogue import CURVES, KNOWN_ANSWER_MESSAGE, known_answer_template
from signer.hsm.names import KeyVersion

NAME = KeyVersion("wd-usdc", 1)
SECRET = b"s" * 40


def _start(token: Token) -> None:
    Pool(token, sessions=1, redeem=Mint().redeem).close()


def _destroy(token: Token, template: dict[Attribute, Any]) -> None:
    with token.open(rw=True) as session:
        (found,) = list(session.get_objects(template))
        found.destroy()


def test_known_answer_is_checked(scratch: Token) -> None:
    """An HMAC key with another secret than its known answer's stops the start."""
    keys.import_secret(scratch, NAME, Algorithm.HMAC_SHA256, SECRET)
    _start(scratch)
    _destroy(scratch, {Attribute.CLASS: ObjectClass.SECRET_KEY})
    _put_secret(scratch, {Attribute.VALUE: b"t" * 40})
    with pytest.raises(ConfigError, match="wd-usdc/versions/1: not the secret of its known"):
        _start(scratch)


@pytest.mark.parametrize(
    "record", [b"", b"hmac-sha256", b"hmac-sha256:zz", b"ed25519:" + b"0" * 64, b"\xff" * 70]
)
def test_damaged_known_answer(scratch: Token, record: bytes) -> None:
    """A known answer that cannot be read stops the start, by name."""
    _put_secret(scratch, {})
    _put_known_answer(scratch, NAME, record)
    with pytest.raises(ConfigError, match="wd-usdc/versions/1: its known answer"):
        _start(scratch)


def test_missing_known_answer(scratch: Token) -> None:
    """An HMAC key that somebody made by other means is not served."""
    _put_secret(scratch, {})
    with pytest.raises(ConfigError, match="has 0 of its known answer"):
        _start(scratch)


@pytest.mark.parametrize("loose", [{Attribute.EXTRACTABLE: True}, {Attribute.SENSITIVE: False}])
def test_keys_that_can_leave(scratch: Token, loose: dict[Attribute, Any]) -> None:
    """A key that is extractable or not sensitive is not served."""
    _put_secret(scratch, loose)
    with pytest.raises(ConfigError, match="can leave the token"):
        _start(scratch)


def test_two_keys_of_one_name(scratch: Token) -> None:
    """Two keys with one id stop the start: nobody could tell which signs."""
    _put_pair(scratch, NAME, "secp256r1")
    _put_pair(scratch, NAME, "secp256r1")
    with pytest.raises(ConfigError, match="two keys on the token have this name"):
        _start(scratch)


def test_two_kinds_of_one_name(scratch: Token) -> None:
    """A pair and a secret key with one id stop the start as well."""
    keys.generate(scratch, NAME, Algorithm.ED25519)
    _put_secret(scratch, {})
    with pytest.raises(ConfigError, match="two keys on the token have this name"):
        _start(scratch)


def test_secret_is_imported_once(scratch: Token) -> None:
    """A secret that is on the token under another name is refused, and nothing of it stays."""
    keys.import_secret(scratch, NAME, Algorithm.HMAC_SHA256, SECRET)
    twin = KeyVersion("wd-usdc", 2)
    with pytest.raises(ConfigError, match="versions/2 is the same key as keys/wd-usdc/versions/1"):
        keys.import_secret(scratch, twin, Algorithm.HMAC_SHA256, SECRET)
    _start(scratch)
    with scratch.open() as session:
        assert list(session.get_objects({Attribute.ID: twin.id})) == []


def test_two_names_of_one_key(scratch: Token) -> None:
    """One key under two names would have two limits, so it stops the start."""
    answer = hmac.digest(SECRET, KNOWN_ANSWER_MESSAGE, "sha256").hex()
    for name in (NAME, KeyVersion("other", 1)):
        _put_secret(scratch, {Attribute.ID: name.id})
        _put_known_answer(scratch, name, f"hmac-sha256:{answer}".encode())
    with pytest.raises(ConfigError, match="is the same key as"):
        _start(scratch)


def test_other_curves(scratch: Token) -> None:
    """A key on a curve that no algorithm has stops the start, by name."""
    _put_pair(scratch, NAME, "secp384r1")
    with pytest.raises(ConfigError, match="wd-usdc/versions/1: its curve is none of"):
        _start(scratch)


def test_short_rsa(scratch: Token) -> None:
    """An RSA key below 2048 bits stops the start, by name."""
    with scratch.open(rw=True) as session:
        session.generate_keypair(KeyType.RSA, 1024, id=NAME.id, store=True)
    with pytest.raises(ConfigError, match="wd-usdc/versions/1: RSA of 1024 bits"):
        _start(scratch)


def test_missing_public_half(scratch: Token) -> None:
    """A private key without its public key stops the start: nothing could be verified."""
    keys.generate(scratch, NAME, Algorithm.ECDSA_P256)
    _destroy(scratch, {Attribute.CLASS: ObjectClass.PUBLIC_KEY})
    with pytest.raises(ConfigError, match="has 0 of its public key"):
        _start(scratch)


def test_wrong_public_half(scratch: Token) -> None:
    """A public key that is not the private key's is found by the probe."""
    keys.generate(scratch, NAME, Algorithm.ECDSA_P256)
    other = keys.generate(scratch, KeyVersion("other", 1), Algorithm.ECDSA_P256)
    _destroy(scratch, {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: b"other/1"})
    _destroy(scratch, {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: NAME.id})
    _put_public(scratch, b"\x04\x41" + other.point)
    with pytest.raises(ConfigError, match="a probe signature does not verify"):
        _start(scratch)


@pytest.mark.parametrize("header", [b"", b"\x04\x41"])
def test_points_with_and_without_der(scratch: Token, header: bytes) -> None:
    """A point is the same key whether the token wraps it in an OCTET STRING or not."""
    made = keys.generate(scratch, NAME, Algorithm.ECDSA_P256)
    _destroy(scratch, {Attribute.CLASS: ObjectClass.PUBLIC_KEY})
    _put_public(scratch, header + made.point)
    assert keys.list_keys(scratch) == [made]


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(64), b"\x04\x41" + b"\x05" * 65])
def test_points_off_the_curve(scratch: Token, point: bytes) -> None:
    """A public key that is not a point of its curve stops the start, by name."""
    keys.generate(scratch, NAME, Algorithm.ECDSA_P256)
    _destroy(scratch, {Attribute.CLASS: ObjectClass.PUBLIC_KEY})
    _put_public(scratch, point)
    with pytest.raises(ConfigError, match="is not a point on the curve"):
        _start(scratch)


def test_named_edwards_curve(scratch: Token) -> None:
    """An Ed25519 key whose parameters are the curve's name is served."""
    with scratch.open(rw=True) as session:
        parameters = {Attribute.EC_PARAMS: b"\x13\x0cedwards25519"}
        domain = session.create_domain_parameters(KeyType.EC_EDWARDS, parameters, local=True)
        domain.generate_keypair(id=NAME.id, store=True)
    _start(scratch)
    assert [key.algorithms for key in keys.list_keys(scratch)] == [{Algorithm.ED25519}]


def test_other_applications_are_left_alone(scratch: Token) -> None:
    """Objects whose id is not a key version's are nobody's business."""
    for identifier in (b"", b"tls", b"UPPER/1", b"key/0", b"key/01", b"key/x", b"k/1/2", b"\xff/1"):
        _put_secret(scratch, {Attribute.ID: identifier, Attribute.EXTRACTABLE: True})
    assert keys.list_keys(scratch) == []


def test_another_key_at_the_next_bind(scratch: Token) -> None:
    """A pool that started with one key takes no session with another one of its name."""
    keys.generate(scratch, NAME, Algorithm.ED25519)
    with closing(Pool(scratch, sessions=1, redeem=Mint().redeem)) as pool:
        for object_class in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            _destroy(scratch, {Attribute.CLASS: object_class})
        with pytest.raises(ConfigError, match="now holds another key"):
            pool._slots[0].open()
        keys.generate(scratch, NAME, Algorithm.ED25519)
        with pytest.raises(ConfigError, match="now holds another key"):
            pool._slots[0].open()


def _put_secret(token: Token, changes: dict[Attribute, Any]) -> None:
    with token.open(rw=True) as session:
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.SECRET_KEY,
                Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.SIGN: True,
                Attribute.ID: NAME.id,
                Attribute.VALUE: SECRET,
                **changes,
            }
        )


def _put_known_answer(token: Token, name: KeyVersion, record: bytes) -> None:
    with token.open(rw=True) as session:
        template = {**known_answer_template(name), Attribute.TOKEN: True, Attribute.VALUE: record}
        session.create_object(template)


def _put_pair(token: Token, name: KeyVersion, curve: str) -> None:
    with token.open(rw=True) as session:
        parameters = {Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters(curve)}
        domain = session.create_domain_parameters(KeyType.EC, parameters, local=True)
        domain.generate_keypair(id=name.id, store=True)


def _put_public(token: Token, point: bytes) -> None:
    with token.open(rw=True) as session:
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.PUBLIC_KEY,
                Attribute.KEY_TYPE: KeyType.EC,
                Attribute.TOKEN: True,
                Attribute.ID: NAME.id,
                Attribute.EC_PARAMS: CURVES[Algorithm.ECDSA_P256],
                Attribute.EC_POINT: point,
            }
        )
