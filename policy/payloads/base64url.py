"""Base64 in the URL alphabet without padding (RFC 7515, section 2), in its one form."""

import base64

from policy.reasons import Code, PayloadError


def decode(text: str, where: str) -> bytes:
    """Return the bytes that ``encode`` wrote.

    Raises:
        PayloadError: it is not Base64, or bits that mean nothing are set.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise PayloadError(Code.PAYLOAD_MALFORMED, where, "is not Base64") from None
    if encode(data) != text:
        detail = "is not in the one form of Base64 without padding"
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, where, detail)
    return data


def encode(data: bytes) -> str:
    """Write bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
