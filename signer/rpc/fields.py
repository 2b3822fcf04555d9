"""Fields that messages of several services share, and the grammar of their texts."""

from google.protobuf.timestamp_pb2 import Timestamp

from signer.errors import InvalidRequestError

DEFAULT_PAGE = 100
MAX_PAGE = 1000
MAX_REASON = 1000


def reason(text: str) -> str:
    """Return why somebody does something.

    Raises:
        InvalidRequestError: it is missing or too long.
    """
    if not 0 < len(text) <= MAX_REASON:
        raise InvalidRequestError(f"reason: required, 1 to {MAX_REASON} characters")
    return text


def page_size(wanted: int) -> int:
    """Return how many items a page has; 0 leaves it to the service.

    Raises:
        InvalidRequestError: it is out of range.
    """
    if not 0 <= wanted <= MAX_PAGE:
        raise InvalidRequestError(f"page_size: from 0 to {MAX_PAGE}")
    return wanted or DEFAULT_PAGE


def timestamp(time_ms: int | None) -> Timestamp | None:
    """Return milliseconds since the epoch as a message."""
    if time_ms is None:
        return None
    stamp = Timestamp()
    stamp.FromMilliseconds(time_ms)
    return stamp
