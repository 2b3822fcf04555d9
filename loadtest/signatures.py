"""Whether a signature is right, without asking the code that made it.

The server verifies before it releases; a load test that reused its check would
not notice a fault in it.
"""

from collections.abc import Callable
from hashlib import sha256

import coincurve
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from loadtest.errors import LoadtestError
from loadtest.payloads import TRANSACTION
from policy.keccak import keccak256
from policy.payloads.ethereum import rlp
from signer.v1 import resources_pb2 as resources
from signer.v1 import signing_service_pb2 as pb

Verify = Callable[[pb.SignPayloadRequest, pb.SignPayloadResponse], bool]
_Check = Callable[[bytes, bytes], None]  # (signature, message); raises InvalidSignature

SCALAR = 32
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # SEC 2, 2.4.1
PSS = padding.PSS(padding.MGF1(SHA256()), salt_length=32)


def verifier(public_key: resources.PublicKey) -> Verify:
    """Return the check of a response against its request, for one key.

    Raises:
        LoadtestError: the key's algorithm has no public half, or is not known here.
    """
    key = load_pem_public_key(public_key.pem.encode("ascii"))
    match public_key.algorithm, key:
        case resources.ALGORITHM_ECDSA_SECP256K1, ec.EllipticCurvePublicKey():
            return _secp256k1(key)
        case resources.ALGORITHM_ECDSA_P256, ec.EllipticCurvePublicKey():
            return _plain(lambda sig, text: key.verify(_der(sig), text, ec.ECDSA(SHA256())))
        case resources.ALGORITHM_ED25519, Ed25519PublicKey():
            return _plain(key.verify)
        case resources.ALGORITHM_RSA_PKCS1_SHA256, RSAPublicKey():
            return _plain(lambda sig, text: key.verify(sig, text, padding.PKCS1v15(), SHA256()))
        case resources.ALGORITHM_RSA_PSS_SHA256, RSAPublicKey():
            return _plain(lambda sig, text: key.verify(sig, text, PSS, SHA256()))
    name = resources.Algorithm.Name(public_key.algorithm)
    raise LoadtestError(f"{public_key.name}: signatures of {name} can't be verified here")


def _der(signature: bytes) -> bytes:
    if len(signature) != 2 * SCALAR:
        raise InvalidSignature
    return encode_dss_signature(
        int.from_bytes(signature[:SCALAR]), int.from_bytes(signature[SCALAR:])
    )


def _plain(check: _Check) -> Verify:
    def verify(request: pb.SignPayloadRequest, response: pb.SignPayloadResponse) -> bool:
        try:
            check(response.signature, request.payload)
        except InvalidSignature:
            return False
        return True

    return verify


def _secp256k1(key: ec.EllipticCurvePublicKey) -> Verify:
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def verify(request: pb.SignPayloadRequest, response: pb.SignPayloadResponse) -> bool:
        signature = response.signature
        if len(signature) != 2 * SCALAR or int.from_bytes(signature[SCALAR:]) > HALF_ORDER:
            return False
        if request.payload_format == TRANSACTION:
            return _ethereum(request, response, point)
        digest = sha256(request.payload).digest()
        return any(_recovered(signature, parity, digest) == point for parity in (0, 1))

    return verify


def _ethereum(
    request: pb.SignPayloadRequest, response: pb.SignPayloadResponse, point: bytes
) -> bool:
    """Check the signature and everything that a wallet would take from beside it."""
    found, digest = response.ethereum, keccak256(request.payload)
    return (
        found.r + found.s == response.signature
        and found.y_parity in (0, 1)
        and _recovered(response.signature, found.y_parity, digest) == point
        and found.raw_transaction == _raw(request.payload, found)
        and found.transaction_hash == keccak256(found.raw_transaction)
    )


def _recovered(signature: bytes, parity: int, digest: bytes) -> bytes | None:
    try:
        found = coincurve.PublicKey.from_signature_and_message(
            signature + bytes([parity]), digest, hasher=None
        )
    except ValueError:
        return None
    return bytes(found.format(compressed=False))


def _raw(payload: bytes, signature: pb.EthereumSignature) -> bytes:
    """Put the signature behind the fields of a type 1 or 2 transaction (EIP-2930, EIP-1559)."""
    items = rlp.decode(payload[1:], "payload")
    scalars = [rlp.scalar(int.from_bytes(part)) for part in (signature.r, signature.s)]
    return payload[:1] + rlp.encode([*items, rlp.scalar(signature.y_parity), *scalars])
