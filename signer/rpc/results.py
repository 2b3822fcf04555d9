"""Results into response messages, with what each payload format adds to a bare signature."""

from collections.abc import Callable

from signer.errors import SigngateError
from signer.hsm import PublicKey
from signer.model import Signed, Validated
from signer.rpc.artifacts import ARTIFACTS
from signer.rpc.status import shielded, status_of
from signer.rpc.validations import validation
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
        response = pb.SignPayloadResponse()
        self._fill(response, request, result)
        return response

    def put(
        self, answer: pb.SignPayloadResult, request: pb.SignPayloadRequest, result: Result
    ) -> None:
        """Fill in the response or the refusal, for batches and streams.

        In its place, since messages that are put into others are copied each time.
        """
        answer.request_id = request.request_id
        try:
            self._fill(answer.response, request, result)
        except Exception as error:  # noqa: BLE001 - one bad item must not end the others
            answer.error.CopyFrom(status_of(shielded(error)))

    def _fill(
        self, response: pb.SignPayloadResponse, request: pb.SignPayloadRequest, result: Result
    ) -> None:
        if isinstance(result, SigngateError):
            raise result
        response.name = result.key_version
        response.request_id = request.request_id
        response.audit_index = result.leaf_index
        response.policy_version = result.policy_version
        if isinstance(result, Validated):
            response.validation.CopyFrom(validation(result.explanation))
        if isinstance(result, Signed):
            response.signature = result.signature
            response.replayed = result.replayed
            add = ARTIFACTS.get(request.payload_format)
            if add is not None:
                public_key = self._find_public_key(result.key_version)
                add(response, request.payload, result.signature, public_key)
