"""What each refused payload is told, on record: ``python -m tests.policy.payloads.recorded``.

``refusals.jsonl`` has a payload for every kind of refusal, with its words. A change of words
shows there in review; the command writes the words anew, and keeps the payloads.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from policy.payloads import decode
from policy.reasons import PayloadError

RECORD = Path(__file__).with_name("refusals.jsonl")


class Refused(NamedTuple):
    """A payload that its decoder refuses, and the words: code, place and detail."""

    format: str
    payload: bytes
    words: str


def read() -> list[Refused]:
    """Read the record."""
    lines = map(json.loads, RECORD.read_text("ascii").splitlines())
    return [Refused(tag, _bytes(payload), words) for tag, payload, words in lines]


def write(refused: Iterable[Refused]) -> None:
    """Write the record, a line each."""
    lines = sorted((tag, _text(payload), words) for tag, payload, words in refused)
    RECORD.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "ascii")


def words(tag: str, payload: bytes) -> str:
    """Decode what is refused, and return what is said of it."""
    try:
        decode(tag, payload)
    except PayloadError as error:
        return f"{error.reason.code} {error}"
    return "accepted"


def _text(payload: bytes) -> str:
    """Write text as it is, and anything else in hexadecimal."""
    if payload.isascii() and payload.strip(b"0123456789abcdef"):
        return payload.decode("ascii")
    return payload.hex()


def _bytes(text: str) -> bytes:
    return text.encode("ascii") if text.strip("0123456789abcdef") else bytes.fromhex(text)


if __name__ == "__main__":
    write(item._replace(words=words(item.format, item.payload)) for item in read())
