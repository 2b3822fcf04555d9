"""What payload formats add to a bare signature, so that it can be used as it is."""

import hashlib
from collections.abc import Callable, Mapping

from policy.payloads import bitcoin, decode, ethereum, intent_cose, intent_jws, tron
from signer.errors import InvalidRequestError
from signer.hsm import PublicKey
from signer.v1 import signing_service_pb2 as pb

Add = Callable[[pb.SignPayloadResponse, bytes, bytes, PublicKey], None]
"""``(response, payload, signature, the key)``: sets the response's artifact."""


def _ethereum_transaction(
    response: pb.SignPayloadResponse, payload: bytes, signature: bytes, public_key: PublicKey
) -> None:
    digest = ethereum.signing_hash(payload)
    artifact = response.ethereum
    y_parity = _set_scalars(artifact, digest, signature, public_key)
    artifact.raw_transaction = raw = ethereum.assemble(payload, signature, y_parity)
    artifact.transaction_hash = ethereum.transaction_hash(raw)


def _ethereum_message(tag: str) -> Add:
    """Return what is added to typed data and to texts: a signature as contracts take it."""

    def add(
        response: pb.SignPayloadResponse, payload: bytes, signature: bytes, public_key: PublicKey
    ) -> None:
        digest = ethereum.signing_hash(decode(tag, payload).message)
        y_parity = _set_scalars(response.ethereum, digest, signature, public_key)
        v = bytes((ethereum.RECOVERY_OFFSET + y_parity,))
        response.ethereum.recoverable_signature = signature + v

    return add


def _set_scalars(
    artifact: pb.EthereumSignature, digest: bytes, signature: bytes, public_key: PublicKey
) -> int:
    y_parity = public_key.recovery_id(digest, signature)
    artifact.r = signature[:32]
    artifact.s = signature[32:]
    artifact.y_parity = y_parity
    return y_parity


def _tron(
    response: pb.SignPayloadResponse, payload: bytes, signature: bytes, public_key: PublicKey
) -> None:
    digest = hashlib.sha256(payload).digest()
    recoverable = signature + bytes((public_key.recovery_id(digest, signature),))
    response.tron.recoverable_signature = recoverable
    response.tron.transaction_id = digest
    response.tron.raw_transaction = tron.assemble(payload, recoverable)


def _bitcoin(
    response: pb.SignPayloadResponse, payload: bytes, signature: bytes, public_key: PublicKey
) -> None:
    try:
        signed = bitcoin.assemble(payload, signature, public_key.compressed)
    except ValueError as error:
        raise InvalidRequestError(f"payload: {error}, {response.name}") from None
    response.bitcoin.psbt = signed.psbt
    response.bitcoin.raw_transaction = signed.transaction
    response.bitcoin.transaction_id = signed.transaction_id


def _jws(
    response: pb.SignPayloadResponse, payload: bytes, signature: bytes, _key: PublicKey
) -> None:
    response.jws.compact = intent_jws.assemble(payload, signature)


def _cose(
    response: pb.SignPayloadResponse, payload: bytes, signature: bytes, _key: PublicKey
) -> None:
    response.cose.message = intent_cose.assemble(payload, signature)


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
