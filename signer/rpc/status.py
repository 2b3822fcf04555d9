"""The one table from codes to gRPC statuses, and the boundary that applies it."""

import functools
import secrets
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from policy.reasons import Code as Policy
from signer.codes import Code as Service
from signer.errors import HsmOverloadedError, RateLimitedError, RefusedError, SigngateError

DOMAIN = "signgate"
RETRY_AFTER = Duration(nanos=100_000_000)

STATUS: dict[Policy | Service, int] = {
    Policy.KEY_DENIED: code_pb2.PERMISSION_DENIED,
    Policy.FORMAT_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.PAYLOAD_TOO_LARGE: code_pb2.INVALID_ARGUMENT,
    Policy.PAYLOAD_MALFORMED: code_pb2.INVALID_ARGUMENT,
    Policy.PAYLOAD_NOT_CANONICAL: code_pb2.INVALID_ARGUMENT,
    Policy.PAYLOAD_UNSUPPORTED: code_pb2.INVALID_ARGUMENT,
    Policy.PAYLOAD_EXPIRED: code_pb2.PERMISSION_DENIED,
    Policy.PAYLOAD_TIMESTAMP: code_pb2.PERMISSION_DENIED,
    Policy.PAYLOAD_SIGNER: code_pb2.INVALID_ARGUMENT,
    Policy.CALL_NOT_PINNED: code_pb2.PERMISSION_DENIED,
    Policy.ACTION_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.CHAIN_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.ASSET_UNKNOWN: code_pb2.PERMISSION_DENIED,
    Policy.ASSET_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.DESTINATION_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.SOURCE_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.ORDER_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.PRICE_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.SESSION_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.NETWORK_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.EXPIRY_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.GRANT_NOT_IN_FORCE: code_pb2.PERMISSION_DENIED,
    Policy.OUTSIDE_HOURS: code_pb2.PERMISSION_DENIED,
    Policy.APPROVAL_REQUIRED: code_pb2.FAILED_PRECONDITION,
    Policy.APPROVAL_REJECTED: code_pb2.PERMISSION_DENIED,
    Policy.APPROVAL_BACKLOG: code_pb2.RESOURCE_EXHAUSTED,
    Policy.VALIDATION_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Policy.NO_LIMIT_FOR_ASSET: code_pb2.PERMISSION_DENIED,
    Policy.LIMIT_PER_REQUEST: code_pb2.PERMISSION_DENIED,
    Policy.LIMIT_WINDOW_TOTAL: code_pb2.RESOURCE_EXHAUSTED,
    Policy.LIMIT_WINDOW_COUNT: code_pb2.RESOURCE_EXHAUSTED,
    Policy.FROZEN: code_pb2.FAILED_PRECONDITION,
    Policy.EMERGENCY_RATE: code_pb2.RESOURCE_EXHAUSTED,
    Service.INVALID_REQUEST: code_pb2.INVALID_ARGUMENT,
    Service.UNAUTHENTICATED: code_pb2.UNAUTHENTICATED,
    Service.CALLER_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    Service.REQUEST_ID_REUSED: code_pb2.ALREADY_EXISTS,
    Service.REQUEST_IN_PROGRESS: code_pb2.UNAVAILABLE,
    Service.NO_PUBLIC_KEY: code_pb2.FAILED_PRECONDITION,
    Service.NO_CHECKPOINT: code_pb2.NOT_FOUND,
    Service.TOO_MANY_STREAMS: code_pb2.RESOURCE_EXHAUSTED,
    Service.OFFICER_REQUIRED: code_pb2.PERMISSION_DENIED,
    Service.OWN_PROPOSAL: code_pb2.PERMISSION_DENIED,
    Service.PROPOSAL_NOT_FOUND: code_pb2.NOT_FOUND,
    Service.PROPOSAL_CLOSED: code_pb2.FAILED_PRECONDITION,
    Service.PROPOSAL_STALE: code_pb2.FAILED_PRECONDITION,
    Service.PROPOSAL_MISMATCH: code_pb2.INVALID_ARGUMENT,
    Service.QUORUM_REQUIRED: code_pb2.FAILED_PRECONDITION,
    Service.APPROVAL_NOT_FOUND: code_pb2.NOT_FOUND,
    Service.APPROVAL_CLOSED: code_pb2.FAILED_PRECONDITION,
    Service.SCOPE_UNKNOWN: code_pb2.INVALID_ARGUMENT,
    Service.RATE_NOT_LOWER: code_pb2.FAILED_PRECONDITION,
    Service.RATE_LIMITED: code_pb2.RESOURCE_EXHAUSTED,
    Service.VERSION_NOT_FOUND: code_pb2.NOT_FOUND,
    Service.DOCUMENT_INVALID: code_pb2.INVALID_ARGUMENT,
    Service.DOCUMENT_UNCHANGED: code_pb2.FAILED_PRECONDITION,
    Service.HSM_UNAVAILABLE: code_pb2.UNAVAILABLE,
    Service.HSM_OVERLOADED: code_pb2.RESOURCE_EXHAUSTED,
    Service.HSM_REFUSED: code_pb2.INTERNAL,
    Service.SIGNATURE_INVALID: code_pb2.INTERNAL,
    Service.OUTCOME_UNKNOWN: code_pb2.UNAVAILABLE,
    Service.LEDGER_UNAVAILABLE: code_pb2.UNAVAILABLE,
    Service.DEADLINE_EXCEEDED: code_pb2.DEADLINE_EXCEEDED,
    Service.DRAINING: code_pb2.UNAVAILABLE,
    Service.INTERNAL: code_pb2.INTERNAL,
}

_log = structlog.get_logger(__name__)
_Method = TypeVar("_Method", bound=Callable[..., Any])


def status_of(error: SigngateError) -> status_pb2.Status:
    """Return what the caller is told: a code, a stable reason and no more than it may know."""
    details = [error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN)]
    if isinstance(error, RefusedError):
        details[0].metadata["audit_index"] = str(error.leaf_index)
        if error.hold is not None:
            details[0].metadata["approval"] = error.hold
    number = STATUS[error.code]
    packed = [_packed(detail) for detail in details]
    if isinstance(error, RateLimitedError | HsmOverloadedError):
        wait = Duration()
        wait.FromNanoseconds(int(1e9 * error.seconds))
        packed.append(_packed(error_details_pb2.RetryInfo(retry_delay=wait)))
    elif number == code_pb2.UNAVAILABLE:
        packed.append(_packed(error_details_pb2.RetryInfo(retry_delay=RETRY_AFTER)))
    return status_pb2.Status(code=number, message=error.public, details=packed)


def _packed(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


class InternalError(SigngateError):
    """What a caller is told of a bug: a reference to find it by in the log."""


def shielded(error: Exception) -> SigngateError:
    """Return an error that a caller may see; what is not ours is logged, not sent."""
    if isinstance(error, SigngateError):
        return error
    reference = secrets.token_hex(4)
    _log.error("internal error", reference=reference, exc_info=error)
    return InternalError(f"internal error, reference {reference}")


def abort(context: grpc.ServicerContext, error: Exception) -> None:
    """End the call with the error's status; does not return."""
    status = rpc_status.to_status(status_of(shielded(error)))
    context.set_trailing_metadata(status.trailing_metadata)
    context.abort(status.code, status.details)


def answers(method: _Method) -> _Method:
    """Make a unary method answer every error with its status.

    An exception that grpc itself catches would reach the client word for word.
    """

    @functools.wraps(method)
    def guarded(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing passes it as it is
            return abort(context, error)

    return guarded  # type: ignore[return-value]  # same signature, seen through Any


def answers_stream(method: _Method) -> _Method:
    """Make a method that returns a stream answer every error with its status."""

    @functools.wraps(method)
    def guarded(self: Any, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from method(self, request, context)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing passes it as it is
            abort(context, error)

    return guarded  # type: ignore[return-value]  # same signature, seen through Any
