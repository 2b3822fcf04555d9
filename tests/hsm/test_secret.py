"""A shared secret is taken in the one form that was said, or not at all."""

import pytest

from signer.errors import ConfigError
from signer.hsm.secret import Encoding, decode_secret


@pytest.mark.parametrize(
    ("content", "encoding", "wanted"),
    [
        (b"00ff", Encoding.HEX, b"\0\xff"),
        (b"00FF\n", Encoding.HEX, b"\0\xff"),
        (b"AP8=", Encoding.BASE64, b"\0\xff"),
        (b"AP8=\n", Encoding.BASE64, b"\0\xff"),
        (b"AP8=", Encoding.RAW, b"AP8="),
        (b"\0\n\xff\n", Encoding.RAW, b"\0\n\xff\n"),
        (b"", Encoding.RAW, b""),  # too short, which the import says
    ],
)
def test_right(content: bytes, encoding: Encoding, wanted: bytes) -> None:
    """Each form decodes to its bytes; of hex and base64 one line end is dropped."""
    assert decode_secret(content, encoding) == wanted


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", Encoding.HEX),
        (b"0", Encoding.HEX),
        (b"0x00", Encoding.HEX),
        (b"00 ff", Encoding.HEX),
        (b"00ff\n\n", Encoding.HEX),
        (b"00ff\r\n", Encoding.HEX),
        ("٠٠".encode(), Encoding.HEX),
        (b"", Encoding.BASE64),
        (b"AP8", Encoding.BASE64),
        (b"AP9=", Encoding.BASE64),  # bits set that do not count
        (b"AP8==", Encoding.BASE64),
        (b"A P8=", Encoding.BASE64),
        (b"_-8=", Encoding.BASE64),
        (b"very secret\n", Encoding.RAW),
        (b"very secret\r\n", Encoding.RAW),
    ],
)
def test_wrong(content: bytes, encoding: Encoding) -> None:
    """Anything else is refused."""
    with pytest.raises(ConfigError, match=r"the (raw )?secret"):
        decode_secret(content, encoding)


@pytest.mark.parametrize("encoding", Encoding)
def test_not_shown(encoding: Encoding) -> None:
    """The message of a refusal shows nothing of the secret."""
    with pytest.raises(ConfigError) as error:
        decode_secret(b"hunter2-hunter2\n", encoding)
    assert "hunter2" not in str(error.value)
