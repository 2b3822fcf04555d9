"""Base64 in the URL alphabet: one text for each string of bytes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.payloads import base64url
from policy.reasons import Code, PayloadError

# RFC 4648, section 10, without padding; the last two have the letters of the URL alphabet.
VECTORS = {
    b"": "",
    b"f": "Zg",
    b"fo": "Zm8",
    b"foo": "Zm9v",
    b"foob": "Zm9vYg",
    b"fooba": "Zm9vYmE",
    b"foobar": "Zm9vYmFy",
    b"\xfb\xef\xbe": "----",
    b"\xff\xff\xff": "____",
}
REFUSED = {
    "a letter alone": ("Z", Code.PAYLOAD_MALFORMED, "is not Base64"),
    "five letters": ("Zm9vY", Code.PAYLOAD_MALFORMED, "is not Base64"),
    "not ASCII": ("Zm9é", Code.PAYLOAD_MALFORMED, "is not Base64"),
    "padding": ("Zg==", Code.PAYLOAD_NOT_CANONICAL, None),
    "the other alphabet": ("++//", Code.PAYLOAD_NOT_CANONICAL, None),
    "bits that mean nothing": ("Zh", Code.PAYLOAD_NOT_CANONICAL, None),
    "two such bits": ("Zm9", Code.PAYLOAD_NOT_CANONICAL, None),
    "a line end": ("Zm9v\n", Code.PAYLOAD_NOT_CANONICAL, None),
    "a space within": ("Zm 9v", Code.PAYLOAD_NOT_CANONICAL, None),
    "a point": ("Zm9v.", Code.PAYLOAD_NOT_CANONICAL, None),
}


@pytest.mark.parametrize(("data", "text"), VECTORS.items())
def test_published_vectors(data: bytes, text: str) -> None:
    """Bytes have the text of the RFC, and the text gives them back."""
    assert base64url.encode(data) == text
    assert base64url.decode(text, "here") == data


@given(st.binary(min_size=1, max_size=3))
def test_the_library_agrees(data: bytes) -> None:
    """Whatever letter a text ends in, it is the library's but for padding."""
    text = base64url.encode(data)
    assert base64.urlsafe_b64encode(data).decode() == text + "=" * (-len(text) % 4)
    assert base64url.decode(text, "here") == data


def test_every_last_letter_is_kept() -> None:
    """Only padding is taken off: a text may end in any letter of the alphabet."""
    last = {base64url.encode(bytes((0, 0, byte)))[-1] for byte in range(64)}
    assert len(last) == 64


@pytest.mark.parametrize(("text", "code", "detail"), REFUSED.values(), ids=REFUSED)
def test_another_text_is_refused(text: str, code: Code, detail: str | None) -> None:
    """What is no Base64, or another text of the same bytes, is refused where it stands."""
    with pytest.raises(PayloadError) as caught:
        base64url.decode(text, "here")
    reason = caught.value.reason
    assert (reason.code, reason.rule) == (code, "here")
    assert reason.detail == (detail or "is not in the one form of Base64 without padding")
