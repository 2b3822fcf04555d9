"""Bitcoin's serialisation, where a PSBT does not reach."""

from policy.payloads.bitcoin.wire import Reader


def test_long_strings_are_passed_over_too() -> None:
    """A string whose length takes three bytes is skipped like a short one."""
    reader = Reader(b"\x01a" + b"\xfd\xfd\x00" + b"x" * 253 + b"\x01b" + b"end", "here")
    reader.skip(3)
    assert reader.take(3) == b"end"
