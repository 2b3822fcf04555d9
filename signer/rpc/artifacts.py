"""What payload formats add to a bare signature, so that it can be used as it is."""

import hashlib
from collections.abc import Callable, Mapping

from policy.payloads import bitcoin, decode, ethereum, intent_cose, intent_jws, tron
from signer.errors import InvalidRequestError
from signer.hsm import PublicKey
from signer.v1 import signing_service_pb2 as pb

Add = Callable[[pb.SignPayloadResponse, bytes, PublicKey], None]
"""``(response with its signature, payload, the key)``: sets the response's artifact."""


def _ethereum_transaction(
    response: pb.SignPayloadResponse, payload: bytes, public_key: PublicKey
) -> None:
    digest = ethereum.signing_hash(payload)
    y_parity = _set_scalars(response, digest, public_key)
    raw = ethereum.assemble(payload, response.signature, y_parity)
    response.ethereum.raw_transaction = raw
    response.ethereum.transaction_hash = ethereum.transaction_hash(raw)


def _ethereum_message(tag: str) -> Add:
    """Return what is added to typed data and to texts: a signature as contracts take it."""

    def add(response: pb.SignPayloadResponse, payload: bytes, public_key: PublicKey) -> None:
        digest = ethereum.signing_hash(decode(tag, payload).message)
        y_parity = _set_scalars(response, digest, public_key)
        v = bytes((ethereum.RECOVERY_OFFSET + y_parity,))
        response.ethereum.recoverable_signature = response.signature + v

    return add


def _set_scalars(response: pb.SignPayloadResponse, digest: bytes, public_key: PublicKey) -> int:
    signature = response.signature
    y_parity = public_key.recovery_id(digest, signature)
    response.ethereum.r = signature[:32]
    response.ethereum.s = signature[32:]
    response.ethereum.y_parity = y_parity
    return y_parity


def _tron(response: pb.SignPayloadResponse, payload: bytes, public_key: PublicKey) -> None:
    digest = hashlib.sha256(payload).digest()
    recovery_id = public_key.recovery_id(digest, response.signature)
    signature = response.signature + bytes((recovery_id,))
    response.tron.recoverable_signature = signature
    response.tron.transaction_id = digest
    response.tron.raw_transaction = tron.assemble(payload, signature)


def _bitcoin(response: pb.SignPayloadResponse, payload: bytes, public_key: PublicKey) -> None:
    try:
        signed = bitcoin.assemble(payload, response.signature, public_key.compressed)
    except ValueError as error:
        raise InvalidRequestError(f"payload: {error}, {response.name}") from None
    response.bitcoin.psbt = signed.psbt
    response.bitcoin.raw_transaction = signed.transaction
    response.bitcoin.transaction_id = signed.transaction_id


def _jws(response: pb.SignPayloadResponse, payload: bytes, _key: PublicKey) -> None:
    response.jws.compact = intent_jws.assemble(payload, response.signature)


def _cose(response: pb.SignPayloadResponse, payload: bytes, _key: PublicKey) -> None:
    response.cose.message = intent_cose.assemble(payload, response.signature)


ARTIFACTS: Mapping[str, Add] = {
    bitcoin.TAG: _bitcoin,
    ethereum.TAG: _ethereum_transaction,
    ethereum.message.TAG: _ethereum_message(ethereum.message.TAG),
    ethereum.typed_data.TAG: _ethereum_message(ethereum.typed_data.TAG),
    intent_cose.TAG: _cose,
    intent_jws.TAG: _jws,
    tron.TAG: _tron,
}
"""By payload format; others have none."""
