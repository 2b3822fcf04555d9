"""Request messages into typed requests; each bad field is named."""

import hashlib
import re
import time
from collections.abc import Callable

import grpc

from policy.model import Decoded
from policy.reasons import PayloadError
from signer.errors import DeadlineExceededError, InvalidRequestError
from signer.model import Caller, SignRequest
from signer.v1 import signing_service_pb2 as pb

Decode = Callable[[str, bytes], Decoded]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_KEY = r"keys/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
_KEY_NAME = re.compile(_KEY)
_KEY_VERSION_NAME = re.compile(_KEY + r"(?:/versions/([1-9][0-9]{0,8}))?")


def key_name(name: str) -> str:
    """Return the key of ``keys/{key}``.

    Raises:
        InvalidRequestError: it is not such a name.
    """
    match = _KEY_NAME.fullmatch(name)
    if not match:
        raise InvalidRequestError("name: not of the form keys/{key}")
    return match[1]


def key_version_name(name: str) -> tuple[str, int | None]:
    """Return the key, and the version where the name has one.

    Raises:
        InvalidRequestError: it is neither keys/{key} nor keys/{key}/versions/{version}.
    """
    match = _KEY_VERSION_NAME.fullmatch(name)
    if not match:
        raise InvalidRequestError("name: not keys/{key} or keys/{key}/versions/{version}")
    return match[1], int(match[2]) if match[2] else None


def key_part(name: str) -> str:
    """Return what stands in the place of the key, whether or not it is a name."""
    return name.removeprefix("keys/").partition("/")[0]


def sign_request(message: pb.SignPayloadRequest, caller: Caller, decode: Decode) -> SignRequest:
    """Check the fields and decode the payload; the decoder's refusal is carried along.

    Raises:
        InvalidRequestError: a field is missing or malformed; it is named.
    """
    key, version = key_version_name(message.name)
    if not _REQUEST_ID.fullmatch(message.request_id):
        raise InvalidRequestError("request_id: 1 to 128 characters of A-Z a-z 0-9 . _ -")
    if not message.payload_format:
        raise InvalidRequestError("payload_format: required, such as ethereum.transaction")
    payload = message.payload  # each look copies it
    if not payload:
        raise InvalidRequestError("payload: required")
    try:
        decoded: Decoded | PayloadError = decode(message.payload_format, payload)
    except PayloadError as error:
        decoded = error
    return SignRequest(
        caller=caller,
        request_id=message.request_id,
        key=key,
        version=version,
        format=message.payload_format,
        payload_sha256=hashlib.sha256(payload).digest(),
        decoded=decoded,
        validate_only=message.validate_only,
    )


def deadline_of(context: grpc.ServicerContext, longest: float) -> float:
    """Return when the request must end, in seconds of ``time.monotonic``.

    Raises:
        DeadlineExceededError: that is past already; it waited too long for a thread.
    """
    # The stubs promise a number, but without a deadline there is None.
    remaining: float | None = context.time_remaining()
    if remaining is not None and remaining <= 0:
        raise DeadlineExceededError("the deadline was over before the request was begun")
    return time.monotonic() + (longest if remaining is None else min(remaining, longest))
