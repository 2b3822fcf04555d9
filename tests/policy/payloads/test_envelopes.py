"""Intents in JWS and COSE: stock libraries verify them, the ways round are refused."""

import hmac
import json
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as jose
from msgspec.structs import replace
from pycose.headers import KID
from pycose.keys.ec2 import EC2Key
from pycose.keys.okp import OKPKey as CoseOkpKey
from pycose.keys.rsa import RSAKey as CoseRsaKey
from pycose.keys.symmetric import SymmetricKey
from pycose.messages.mac0message import Mac0Message
from pycose.messages.sign1message import Sign1Message

from policy.algorithms import Algorithm
from policy.document import load
from policy.engine import Unused, decide
from policy.model import Ask
from policy.payloads import FORMATS, base64url, cbor, decode, intent_cose, intent_jws
from policy.reasons import Code
from tests.policy.payloads.examples import (
    KEY_VERSION,
    OMNIBUS_TEXT,
    cose,
    facts,
    intent,
    jws,
    oracle,
    refusal,
)
from tests.policy.payloads.stock_keys import ED25519, K256, P256, RSA, SECRET, SIGN, jose_key

JWS, COSE = intent_jws.TAG, intent_cose.TAG


def _cose_key(algorithm: Algorithm) -> Any:
    if algorithm.is_mac:
        return SymmetricKey(SECRET)
    if algorithm is Algorithm.ED25519:
        return CoseOkpKey(crv="ED25519", x=ED25519.public_key().public_bytes_raw())
    if algorithm is Algorithm.ECDSA_P256:
        point = P256.public_key().public_numbers()
        return EC2Key(crv="P_256", x=point.x.to_bytes(32), y=point.y.to_bytes(32))
    numbers = RSA.public_key().public_numbers()
    return CoseRsaKey(n=numbers.n.to_bytes(256), e=numbers.e.to_bytes(3))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("name", intent_jws.ALGORITHMS)
def test_a_stock_library_verifies_the_jws(name: str) -> None:
    """The compact serialisation verifies with joserfc, which reads the intent out of it."""
    algorithm, payload = intent_jws.ALGORITHMS[name], jws(name)
    message = decode(JWS, payload).message
    token = intent_jws.assemble(payload, SIGN[algorithm](message))
    found = jose.deserialize_compact(token, jose_key(algorithm), algorithms=[name])
    assert found.payload == intent()
    assert found.headers()["kid"] == KEY_VERSION


def test_every_algorithm_has_a_name() -> None:
    """No algorithm of a key is without its names in both envelopes."""
    assert set(intent_jws.ALGORITHMS.values()) == set(Algorithm)
    assert intent_cose.NUMBERS.keys() == set(Algorithm)


def test_the_example_of_the_specification() -> None:
    """RFC 7515, appendix A.1: the documented key gives the documented serialisation."""
    start = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
        b"Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    secret = base64url.decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "here",
    )
    token = intent_jws.assemble(start, hmac.digest(secret, start, "sha256"))
    assert token == start.decode() + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_the_ed25519_example_of_the_specification() -> None:
    """RFC 8037, appendix A.4: the documented key gives the documented serialisation."""
    start = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    secret = base64url.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "here")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    assert intent_jws.assemble(start, key.sign(start)) == (
        f"{start.decode()}.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7"
        "sVvpAr_MuM0KAg"
    )


def _read(message: bytes) -> Any:
    """Read a tagged message with pycose, which cannot take what cbor2 now gives for a tag."""
    kind: Any = {0xD2: Sign1Message, 0xD1: Mac0Message}[message[0]]
    return kind.from_cose_obj(cbor2.loads(message[1:]), allow_unknown_attributes=True)


# pycose does not know secp256k1 (RFC 8812).
@pytest.mark.parametrize("algorithm", sorted(set(Algorithm) - {Algorithm.ECDSA_SECP256K1}))
def test_a_stock_library_verifies_the_cose_message(algorithm: Algorithm) -> None:
    """The message verifies with pycose, which reads the intent out of it."""
    payload = cose(intent_cose.NUMBERS[algorithm])
    message = decode(COSE, payload).message
    found = _read(intent_cose.assemble(payload, SIGN[algorithm](message)))
    found.key = _cose_key(algorithm)
    assert found.verify_tag() if algorithm.is_mac else found.verify_signature()
    assert found.payload == intent()


def test_another_library_verifies_the_cose_message_of_secp256k1() -> None:
    """The Sig_structure built from what cbor2 reads is what was signed."""
    payload = cose(-47)
    message = intent_cose.assemble(payload, SIGN[Algorithm.ECDSA_SECP256K1](payload))
    protected, _, body, signature = cbor2.loads(message).value
    r, s = (int.from_bytes(signature[at : at + 32]) for at in (0, 32))
    structure = cbor2.dumps(["Signature1", protected, b"", body])
    public = K256.public_key()
    public.verify(encode_dss_signature(r, s), structure, ec.ECDSA(hashes.SHA256()))


_intents = st.builds(
    intent,
    amount=st.integers(1, 2**256 - 1).map(str),
    asset=st.sampled_from(["USD", "USDC@eip155:1", "tron:0x2b6653dc/trc20:T"]),
    destination=st.text("abcXYZ23:/-_.~!", min_size=1, max_size=40),  # nothing with a checksum
    expiry=st.integers(1, 253_402_300_799),
    nonce=st.text("abcXYZ012._-", min_size=1, max_size=64),
)
_kids = st.builds(
    "keys/{}/versions/{}".format,
    st.from_regex("[a-z0-9]{1,63}", fullmatch=True),
    st.integers(1, 999_999_999),
)


def _same(tag: str, payload: bytes, body: bytes, kid: str) -> None:
    """Check the facts of an envelope against what another library found in it."""
    found, members = facts(tag, payload), json.loads(body)
    [moved] = found.transfers
    assert (str(moved.amount), moved.asset, moved.destination) == (
        members["amount"],
        members["asset"],
        members["destination"],
    )
    assert (found.nonce, found.expires_at) == (members["nonce"], members["expiry"])
    assert found.key_version == kid


@oracle
@given(body=_intents, kid=_kids, name=st.sampled_from(["Ed25519", "HS256", "HS512"]))
def test_the_jws_oracle_agrees(body: bytes, kid: str, name: str) -> None:
    """Joserfc reads from the signed envelope what the decoder read before it was signed."""
    algorithm, payload = intent_jws.ALGORITHMS[name], jws(name, body, kid=kid)
    token = intent_jws.assemble(payload, SIGN[algorithm](decode(JWS, payload).message))
    found = jose.deserialize_compact(token, jose_key(algorithm), algorithms=[name])
    _same(JWS, payload, found.payload, found.headers()["kid"])


@oracle
@given(body=_intents, kid=_kids, number=st.sampled_from([-8, 5, 7]))
def test_the_cose_oracle_agrees(body: bytes, kid: str, number: int) -> None:
    """Pycose reads from the signed envelope what the decoder read before it was signed."""
    header = cbor2.dumps({1: number, 4: kid.encode()}, canonical=True)
    payload = cose(number, body, protected=header)
    decoded = decode(COSE, payload)
    assert decoded.facts.algorithm is not None
    message = intent_cose.assemble(payload, SIGN[decoded.facts.algorithm](decoded.message))
    found = _read(message)
    found.key = _cose_key(decoded.facts.algorithm)
    assert found.verify_tag() if number > 0 else found.verify_signature()
    _same(COSE, payload, found.payload, found.phdr[KID].decode())


@pytest.mark.parametrize(
    ("tag", "payload", "algorithm"),
    [
        (JWS, jws("ES256"), Algorithm.ECDSA_P256),
        (COSE, cose(-257), Algorithm.RSA_PKCS1_SHA256),
        (COSE, cose(6), Algorithm.HMAC_SHA384),
    ],
)
def test_the_facts_are_the_intents(tag: str, payload: bytes, algorithm: Algorithm) -> None:
    """An envelope means what its intent means, and says who signs it."""
    bare = facts("intent", intent())
    wrapped = replace(bare, action=f"{tag}.transfer", algorithm=algorithm, key_version=KEY_VERSION)
    assert facts(tag, payload) == wrapped
    assert decode(tag, payload).message == payload


POLICY = """
schema = 1
[assets."USDC@eip155:1"]
contract = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6
[keys.wd]
algorithm = "ed25519"
version = 3
payloads = ["intent.jws", "intent.cose"]
[[keys.wd.grants]]
id = "jws"
callers = ["spiffe://firm.example/bank"]
action = "intent.jws.transfer"
assets = ["USDC@eip155:1"]
destinations = ["0x1111111111111111111111111111111111111111"]
[[keys.wd.limits]]
asset = "USDC@eip155:1"
per_request = "1"
windows = [{ span = "1h", total = "1" }]
"""


@pytest.mark.parametrize(
    ("alg", "kid", "rules"),
    [
        ("EdDSA", "keys/wd/versions/3", []),
        ("EdDSA", "keys/wd/versions/1", ["payload.key_version"]),
        ("EdDSA", "keys/pay/versions/3", ["payload.key_version"]),
        ("ES256", "keys/wd/versions/3", ["payload.algorithm"]),
        ("HS256", "keys/pay/versions/1", ["payload.algorithm", "payload.key_version"]),
    ],
)
def test_nothing_else_signs_what_names_its_signer(alg: str, kid: str, rules: list[str]) -> None:
    """An envelope is signed by the key version and algorithm in its header, or not at all."""
    ask = Ask("wd", JWS, "spiffe://firm.example/bank", facts(JWS, jws(alg, kid=kid)))
    decision = decide(load(POLICY, FORMATS), ask, Unused(), 0)
    assert [reason.rule for reason in decision.reasons] == rules
    assert all(reason.code is Code.PAYLOAD_SIGNER for reason in decision.reasons)


def _part(payload: bytes, at: int, new: bytes) -> bytes:
    parts = payload.split(b".")
    return b".".join((*parts[:at], new, *parts[at + 1 :]))


HOSTILE_JWS = {
    "empty": (b"", Code.PAYLOAD_MALFORMED),
    "not ASCII": ("é".encode() + jws(), Code.PAYLOAD_MALFORMED),
    "no point": (jws().replace(b".", b""), Code.PAYLOAD_MALFORMED),
    "signed already": (jws() + b".c2ln", Code.PAYLOAD_MALFORMED),
    "line feed after": (jws() + b"\n", Code.PAYLOAD_MALFORMED),
    "padding": (jws() + b"=", Code.PAYLOAD_NOT_CANONICAL),
    "other alphabet": (_part(jws(), 0, b"+/+/"), Code.PAYLOAD_NOT_CANONICAL),
    "too long": (jws(body=b" " * 4096), Code.PAYLOAD_TOO_LARGE),
    "alg none": (jws("none"), Code.PAYLOAD_MALFORMED),
    "alg in lower case": (jws("es256"), Code.PAYLOAD_MALFORMED),
    "unknown alg": (jws("ES512"), Code.PAYLOAD_MALFORMED),
    "alg a number": (jws(alg=5), Code.PAYLOAD_MALFORMED),  # type: ignore[arg-type]  # wrong on purpose
    "alg a list": (jws(alg=[]), Code.PAYLOAD_MALFORMED),  # type: ignore[arg-type]  # wrong on purpose
    "no alg": (jws(alg=None), Code.PAYLOAD_MALFORMED),  # type: ignore[arg-type]  # wrong on purpose
    "no kid": (jws(kid=None), Code.PAYLOAD_MALFORMED),
    "kid without version": (jws(kid="keys/wd"), Code.PAYLOAD_MALFORMED),
    "kid with a line end": (jws(kid=KEY_VERSION + "\n"), Code.PAYLOAD_MALFORMED),
    "kid a number": (jws(kid=1), Code.PAYLOAD_MALFORMED),
    "no typ": (jws(typ=None), Code.PAYLOAD_MALFORMED),
    "another typ": (jws(typ="JWT"), Code.PAYLOAD_MALFORMED),
    "critical extension": (jws(crit=["b64"], b64=False), Code.PAYLOAD_MALFORMED),
    "unencoded payload": (jws(b64=False), Code.PAYLOAD_MALFORMED),
    "key by reference": (jws(jku="https://evil.example/keys"), Code.PAYLOAD_MALFORMED),
    "key enclosed": (jws(jwk={}), Code.PAYLOAD_MALFORMED),
    "compressed": (jws(zip="DEF"), Code.PAYLOAD_MALFORMED),
    "spaces in the header": (
        _part(jws(), 0, b"eyAiYWxnIjoiRWREU0EifQ"),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "header a list": (_part(jws(), 0, b"W10"), Code.PAYLOAD_MALFORMED),
    "no intent": (jws(body=b""), Code.PAYLOAD_MALFORMED),
    "intent with a fraction": (jws(body=b'{"amount":0.5}'), Code.PAYLOAD_MALFORMED),
    "intent not canonical": (jws(body=b" " + intent()), Code.PAYLOAD_NOT_CANONICAL),
    "another schema": (jws(body=intent(schema="other")), Code.PAYLOAD_UNSUPPORTED),
    "intent with a wrong checksum": (
        jws(body=intent(destination=OMNIBUS_TEXT[:-1] + "g")),
        Code.PAYLOAD_NOT_CANONICAL,
    ),
}
_BODY = cbor.string(intent())
_ARRAY = b"\x84" + cbor.text("Signature1")
_PROTECTED = cbor.string(b"\xa2\x01\x27\x04" + cbor.string(KEY_VERSION.encode()))
HOSTILE_COSE = {
    "empty": (b"", Code.PAYLOAD_UNSUPPORTED),
    "cut short": (cose()[:-1], Code.PAYLOAD_MALFORMED),
    "cut before the payload": (_ARRAY + _PROTECTED + b"\x40", Code.PAYLOAD_MALFORMED),
    "trailing byte": (cose() + b"\0", Code.PAYLOAD_MALFORMED),
    "too long": (cose(body=b" " * 4096), Code.PAYLOAD_TOO_LARGE),
    "several signers": (cose(context="Signature"), Code.PAYLOAD_UNSUPPORTED),
    "countersignature": (cose(context="CounterSignature"), Code.PAYLOAD_UNSUPPORTED),
    "MAC in a signature": (cose(-8, context="MAC0"), Code.PAYLOAD_MALFORMED),
    "signature in a MAC": (cose(5, context="Signature1"), Code.PAYLOAD_MALFORMED),
    "array of five": (b"\x85" + cose()[1:], Code.PAYLOAD_UNSUPPORTED),
    "array of no length": (b"\x9f" + cose()[1:] + b"\xff", Code.PAYLOAD_UNSUPPORTED),
    "external data": (cose(external=b"x"), Code.PAYLOAD_MALFORMED),
    "tagged": (b"\xd2" + cose(), Code.PAYLOAD_UNSUPPORTED),
    "payload as text": (cose(payload=intent().decode()), Code.PAYLOAD_MALFORMED),
    "payload detached": (cose(payload=None), Code.PAYLOAD_MALFORMED),
    "payload of no length": (
        _ARRAY + _PROTECTED + b"\x40\x5f" + _BODY + b"\xff",
        Code.PAYLOAD_MALFORMED,
    ),
    "long length": (
        _ARRAY + _PROTECTED + b"\x58\x00" + _BODY,
        Code.PAYLOAD_NOT_CANONICAL,
    ),
    "length past the end": (_ARRAY + b"\x5b" + b"\xff" * 8, Code.PAYLOAD_MALFORMED),
    "length cut short": (_ARRAY + b"\x5b\x01", Code.PAYLOAD_MALFORMED),
    "reserved length": (_ARRAY + b"\x5c", Code.PAYLOAD_MALFORMED),
    "no header": (cose(protected=b""), Code.PAYLOAD_MALFORMED),
    "empty header": (cose(protected=b"\xa0"), Code.PAYLOAD_MALFORMED),
    "unknown algorithm": (cose(-35), Code.PAYLOAD_MALFORMED),
    "truncated MAC": (cose(4), Code.PAYLOAD_MALFORMED),
    "critical label": (
        cose(protected=b"\xa3\x01\x27\x02\x81\x01\x04" + cbor.string(KEY_VERSION.encode())),
        Code.PAYLOAD_MALFORMED,
    ),
    "label twice": (cose(protected=b"\xa2\x01\x27\x01\x27"), Code.PAYLOAD_MALFORMED),
    "labels in another order": (
        cose(protected=b"\xa2\x04" + cbor.string(KEY_VERSION.encode()) + b"\x01\x27"),
        Code.PAYLOAD_MALFORMED,
    ),
    "algorithm in two bytes": (
        cose(protected=b"\xa2\x01\x38\x07\x04" + cbor.string(KEY_VERSION.encode())),
        Code.PAYLOAD_MALFORMED,
    ),
    "kid as text": (cose(protected=b"\xa2\x01\x27\x04\x61a"), Code.PAYLOAD_MALFORMED),
    "another kid": (
        cose(protected=b"\xa2\x01\x27\x04" + cbor.string(b"11")),
        Code.PAYLOAD_MALFORMED,
    ),
    "kid in another script": (
        cose(protected=b"\xa2\x01\x27\x04" + cbor.string("keys/wд/versions/1".encode())),
        Code.PAYLOAD_MALFORMED,
    ),
    "something behind the kid": (
        cose(protected=b"\xa2\x01\x27\x04" + cbor.string(KEY_VERSION.encode()) + b"\0"),
        Code.PAYLOAD_MALFORMED,
    ),
    "no intent": (cose(body=b""), Code.PAYLOAD_MALFORMED),
    "intent not canonical": (cose(body=intent() + b"\n"), Code.PAYLOAD_NOT_CANONICAL),
    "intent expired in text": (cose(body=intent(expiry="1")), Code.PAYLOAD_MALFORMED),
}
HOSTILE = {
    **{f"{JWS} {name}": (JWS, *case) for name, case in HOSTILE_JWS.items()},
    **{f"{COSE} {name}": (COSE, *case) for name, case in HOSTILE_COSE.items()},
}


@pytest.mark.parametrize(("tag", "payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(tag: str, payload: bytes, code: Code) -> None:
    """Each way round has its reason."""
    assert refusal(tag, payload).code is code


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65_535, 65_536])
def test_lengths_take_the_fewest_bytes(size: int) -> None:
    """A string of any length is read back, and no longer head is taken."""
    data = bytes(size)
    assert cbor.read_string(cbor.string(data), 0, "here") == (data, len(cbor.string(data)))
