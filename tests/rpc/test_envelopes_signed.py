"""What the service adds to the signature of an intent in an envelope."""

import json
import time
from collections.abc import Callable
from typing import Any

import cbor2
import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jws as jose
from joserfc.jwk import OKPKey

from tests.policy.payloads.examples import cose, intent, jws
from tests.rpc.conftest import Port, sign_request
from tests.rpc.test_signing_service import public_key

KEY_VERSION = "keys/rpc-pay/versions/1"


def _euros() -> bytes:
    return intent(asset="EUR", amount="100", destination="bob", expiry=int(time.time()) + 60)


def _cose_header(alg: int) -> bytes:
    return cbor2.dumps({1: alg, 4: KEY_VERSION.encode()}, canonical=True)


def _ed25519(port: Port) -> Ed25519PublicKey:
    key = load_pem_public_key(public_key(port, "rpc-pay").pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    return key


def test_an_intent_is_returned_as_a_jws(port: Port) -> None:
    """The compact serialisation verifies with the published key."""
    body = _euros()
    request = sign_request(jws("Ed25519", body, kid=KEY_VERSION), payload_format="intent.jws")
    response, code, _ = port.unary("SignPayload", request)
    assert code is grpc.StatusCode.OK
    key: Any = _ed25519(port)
    found = jose.deserialize_compact(response.jws.compact, OKPKey(key, key), algorithms=["Ed25519"])
    assert found.payload == body
    assert found.headers()["kid"] == response.name


def test_an_intent_is_returned_as_a_cose_message(port: Port) -> None:
    """The COSE_Sign1 message holds the intent and the signature over its Sig_structure."""
    body = _euros()
    payload = cose(-8, body, protected=_cose_header(-8))
    response, code, _ = port.unary(
        "SignPayload", sign_request(payload, payload_format="intent.cose")
    )
    assert code is grpc.StatusCode.OK
    protected, unprotected, content, signature = cbor2.loads(response.cose.message).value
    assert (protected, dict(unprotected), content) == (_cose_header(-8), {}, body)
    _ed25519(port).verify(signature, cbor2.dumps(["Signature1", protected, b"", content]))


OTHER_SIGNERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "another algorithm": ("intent.jws", lambda body: jws("ES256", body, kid=KEY_VERSION)),
    "another version": (
        "intent.jws",
        lambda body: jws("EdDSA", body, kid="keys/rpc-pay/versions/2"),
    ),
    "another algorithm in COSE": (
        "intent.cose",
        lambda body: cose(-7, body, protected=_cose_header(-7)),
    ),
}


@pytest.mark.parametrize(("form", "build"), OTHER_SIGNERS.values(), ids=OTHER_SIGNERS)
def test_an_envelope_for_another_signer_is_refused(
    port: Port, form: str, build: Callable[[bytes], bytes]
) -> None:
    """A header that names another algorithm or key version is refused, with the reason."""
    payload = build(_euros())
    _, code, message = port.unary("SignPayload", sign_request(payload, payload_format=form))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message == "refused by policy: PAYLOAD_SIGNER"
    record = json.loads(port.ledger.leaves(0, 100)[-1][1])
    assert record["facts"]["key_version"].startswith("keys/rpc-pay/versions/")
