"""Results into response messages, with what each payload format adds to a bare signature."""

from collections.abc import Callable

from policy.payloads import ethereum
from signer.errors import SigngateError
from signer.hsm import PublicKey
from signer.model import Signed
from signer.rpc.status import shielded, status_of
from signer.signing import Result
from signer.v1 import signing_service_pb2 as pb

FindPublicKey = Callable[[str], PublicKey]  # by key version name


class Results:
    """Builds responses; needs the public keys for what a signature alone does not tell."""

    def __init__(self, find_public_key: FindPublicKey) -> None:
        self._find_public_key = find_public_key

    def response(self, request: pb.SignPayloadRequest, result: Result) -> pb.SignPayloadResponse:
        """Return the response to a request that was signed or validated.

        Raises:
            SigngateError: the result is this error.
        """
        if isinstance(result, SigngateError):
            raise result
        response = pb.SignPayloadResponse(
            name=result.key_version,
            request_id=request.request_id,
            audit_index=result.leaf_index,
            policy_version=result.policy_version,
        )
        if isinstance(result, Signed):
            response.signature = result.signature
            response.replayed = result.replayed
            if request.payload_format == ethereum.TAG:
                self._add_ethereum(response, request.payload)
        return response

    def _add_ethereum(self, response: pb.SignPayloadResponse, payload: bytes) -> None:
        public_key = self._find_public_key(response.name)
        signature = response.signature
        y_parity = public_key.recovery_id(ethereum.signing_hash(payload), signature)
        raw = ethereum.assemble(payload, signature, y_parity)
        response.ethereum.r = signature[:32]
        response.ethereum.s = signature[32:]
        response.ethereum.y_parity = y_parity
        response.ethereum.raw_transaction = raw
        response.ethereum.transaction_hash = ethereum.transaction_hash(raw)

    def either(self, request: pb.SignPayloadRequest, result: Result) -> pb.SignPayloadResult:
        """Return the response or the refusal, for batches and streams."""
        try:
            response = self.response(request, result)
        except Exception as error:  # noqa: BLE001 - one bad item must not end the others
            status = status_of(shielded(error))
            return pb.SignPayloadResult(request_id=request.request_id, error=status)
        return pb.SignPayloadResult(request_id=request.request_id, response=response)
