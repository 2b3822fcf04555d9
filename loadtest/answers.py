"""Right answers for the echo server: a constant, or a real decision and signature."""

import itertools
import time

import coincurve
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from policy import document, engine
from policy.algorithms import Algorithm
from policy.model import Ask, Decoded, Usage, Used
from policy.payloads import FORMATS, decode, ethereum
from policy.reasons import PayloadError
from policy.rules import KeyPolicy
from signer.errors import RefusedError
from signer.rpc.status import status_of
from signer.v1 import resources_pb2
from signer.v1 import signing_service_pb2 as pb

NO_SIGNATURE = bytes(64)


class Plain:
    """Answers at once with 64 zeros: what is measured is the generator and the transport."""

    def __init__(self) -> None:
        self._audit_index = itertools.count()

    def public_key(self, key: str) -> resources_pb2.PublicKey:
        """Return one that nothing will be verified with."""
        return _described(key, Algorithm.ED25519, Ed25519PrivateKey.generate().public_key())

    def result(self, _: str, request: pb.SignPayloadRequest) -> pb.SignPayloadResult:
        """Echo the request."""
        response = pb.SignPayloadResponse(
            name=f"{request.name}/versions/1",
            request_id=request.request_id,
            signature=NO_SIGNATURE,
            audit_index=next(self._audit_index),
        )
        return pb.SignPayloadResult(request_id=request.request_id, response=response)


class Unlimited:
    """Usage that never grows."""

    def used(self, _: object) -> Used:
        """Return nothing."""
        return Used(0, 0)


_PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | coincurve.PrivateKey
_NOTHING_USED: Usage = Unlimited()


class Signer:
    """Decides by a policy, without usage, and signs with keys that it made up.

    ``policy`` is the policy's document.
    """

    def __init__(self, policy: str) -> None:
        self._policy = document.load(policy, FORMATS)
        self._keys = {name: _make(key) for name, key in self._policy.keys.items()}
        self._audit_index = itertools.count()

    def public_key(self, key: str) -> resources_pb2.PublicKey:
        """Return the public half of a key of the policy."""
        private_key = self._keys[key]
        algorithm = self._policy.keys[key].algorithm
        if isinstance(private_key, coincurve.PrivateKey):
            point = private_key.public_key.format(compressed=False)
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), point)
            return _described(key, algorithm, public)
        return _described(key, algorithm, private_key.public_key())

    def result(self, caller: str, request: pb.SignPayloadRequest) -> pb.SignPayloadResult:
        """Decode, decide, sign."""
        try:
            response = self._response(caller, request)
        except PayloadError as error:
            refusal = RefusedError((error.reason,), next(self._audit_index))
        except RefusedError as error:
            refusal = error
        else:
            return pb.SignPayloadResult(request_id=request.request_id, response=response)
        return pb.SignPayloadResult(request_id=request.request_id, error=status_of(refusal))

    def _response(self, caller: str, request: pb.SignPayloadRequest) -> pb.SignPayloadResponse:
        key = request.name.removeprefix("keys/")
        decoded = decode(request.payload_format, request.payload)
        ask = Ask(key, request.payload_format, caller, decoded.facts)
        now_ms = time.time_ns() // 1_000_000
        decision = engine.decide(self._policy, ask, _NOTHING_USED, now_ms)
        if not decision.allowed:
            raise RefusedError(decision.reasons, next(self._audit_index))
        response = pb.SignPayloadResponse(
            name=f"{request.name}/versions/1",
            request_id=request.request_id,
            audit_index=next(self._audit_index),
            policy_version=1,
        )
        self._sign(self._keys[key], decoded, response)
        return response

    def _sign(self, key: _PrivateKey, decoded: Decoded, response: pb.SignPayloadResponse) -> None:
        if isinstance(key, coincurve.PrivateKey):
            _sign_transaction(key, decoded.message, response)
        elif isinstance(key, Ed25519PrivateKey):
            response.signature = key.sign(decoded.message)
        else:
            r, s = decode_dss_signature(key.sign(decoded.message, ec.ECDSA(SHA256())))
            response.signature = r.to_bytes(32) + s.to_bytes(32)


def _sign_transaction(
    key: coincurve.PrivateKey, payload: bytes, response: pb.SignPayloadResponse
) -> None:
    signature = key.sign_recoverable(ethereum.signing_hash(payload), hasher=None)
    response.signature, y_parity = signature[:64], signature[64]
    raw = ethereum.assemble(payload, response.signature, y_parity)
    response.ethereum.r, response.ethereum.s = signature[:32], signature[32:64]
    response.ethereum.y_parity = y_parity
    response.ethereum.raw_transaction = raw
    response.ethereum.transaction_hash = ethereum.transaction_hash(raw)


def _make(key: KeyPolicy) -> _PrivateKey:
    match key.algorithm:
        case Algorithm.ECDSA_SECP256K1:
            return coincurve.PrivateKey()
        case Algorithm.ED25519:
            return Ed25519PrivateKey.generate()
        case Algorithm.ECDSA_P256:
            return ec.generate_private_key(ec.SECP256R1())
    raise ValueError(f"{key.name}: no {key.algorithm} here")


def _described(
    key: str,
    algorithm: Algorithm,
    public_key: ec.EllipticCurvePublicKey | Ed25519PublicKey,
) -> resources_pb2.PublicKey:
    pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return resources_pb2.PublicKey(
        name=f"keys/{key}/versions/1",
        algorithm=resources_pb2.Algorithm.Value(f"ALGORITHM_{algorithm.name}"),
        pem=pem.decode("ascii"),
    )
