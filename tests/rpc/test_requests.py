"""Request fields: what is accepted, and how a bad one is named."""

import time
from typing import cast

import grpc
import pytest

from policy.model import Decoded, Facts
from policy.reasons import Code, PayloadError
from signer.errors import DeadlineExceededError, InvalidRequestError
from signer.model import Caller
from signer.rpc.requests import deadline_of, key_name, key_version_name, sign_request
from signer.v1 import signing_service_pb2 as pb

CALLER = Caller("spiffe://firm.example/wallet", "00", "127.0.0.1:1")
GOOD = {"name": "keys/k", "request_id": "r", "payload_format": "intent", "payload": b"{}"}


def decode(tag: str, payload: bytes) -> Decoded:
    """Accept ``{}`` and refuse everything else."""
    if payload != b"{}":
        raise PayloadError(Code.PAYLOAD_MALFORMED, "$", "not {}")
    return Decoded(Facts("none", ()), payload)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("keys/a", ("a", None)),
        ("keys/wd-usdc", ("wd-usdc", None)),
        ("keys/wd-usdc/versions/1", ("wd-usdc", 1)),
        ("keys/wd-usdc/versions/999999999", ("wd-usdc", 999999999)),
        ("keys/" + "a" * 63, ("a" * 63, None)),
    ],
)
def test_names_that_are_accepted(name: str, expected: tuple[str, int | None]) -> None:
    """A key name, with or without a version."""
    assert key_version_name(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "wd-usdc",
        "keys/",
        "keys/A",
        "keys/-a",
        "keys/a-",
        "keys/a/",
        "keys/a\n",
        "keys/a/versions/",
        "keys/a/versions/0",
        "keys/a/versions/01",
        "keys/a/versions/١",
        "keys/a/versions/1/",
        "keys/a/versions/1000000000",
        "keys/ａ",
        "keys/" + "a" * 64,
    ],
)
def test_names_that_are_refused(name: str) -> None:
    """Anything else, look-alike digits and letters too, is refused and the field named."""
    with pytest.raises(InvalidRequestError, match=r"^name: "):
        key_version_name(name)


def test_a_key_name_has_no_version() -> None:
    """Where a key is meant, a version is refused."""
    assert key_name("keys/a") == "a"
    with pytest.raises(InvalidRequestError, match=r"^name: "):
        key_name("keys/a/versions/1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "k"),
        ("request_id", ""),
        ("request_id", "a" * 129),
        ("request_id", "a b"),
        ("request_id", "a\n"),
        ("request_id", "é"),
        ("payload_format", ""),
        ("payload", b""),
    ],
)
def test_a_bad_field_is_named(field: str, value: str | bytes) -> None:
    """A missing or malformed field is refused by name."""
    message = pb.SignPayloadRequest(**{**GOOD, field: value})  # type: ignore[arg-type]  # from a table
    with pytest.raises(InvalidRequestError, match=rf"^{field}: "):
        sign_request(message, CALLER, decode)


def test_a_good_request_is_decoded() -> None:
    """The typed request carries what the decoder found and the payload's hash."""
    wanted = sign_request(pb.SignPayloadRequest(**GOOD), CALLER, decode)  # type: ignore[arg-type]  # from a table
    assert isinstance(wanted.decoded, Decoded)
    assert wanted.decoded.message == b"{}"
    assert len(wanted.payload_sha256) == 32
    assert (wanted.key, wanted.version, wanted.request_id) == ("k", None, "r")


def test_the_decoders_refusal_is_carried_along() -> None:
    """A payload that is refused still becomes a request, so that it is audited."""
    message = pb.SignPayloadRequest(**{**GOOD, "payload": b"x"})  # type: ignore[arg-type]  # from a table
    wanted = sign_request(message, CALLER, decode)
    assert isinstance(wanted.decoded, PayloadError)
    assert wanted.decoded.reason.code is Code.PAYLOAD_MALFORMED


class Context:
    """A call as far as its deadline goes; the test server has none that is over."""

    def __init__(self, remaining: float | None) -> None:
        self._remaining = remaining

    def time_remaining(self) -> float | None:
        """Return the seconds that are left."""
        return self._remaining


def deadline(remaining: float | None) -> float:
    """Return how many seconds a request gets, of 5 at most."""
    return deadline_of(cast("grpc.ServicerContext", Context(remaining)), 5) - time.monotonic()


def test_a_request_gets_its_callers_time_within_bounds() -> None:
    """The caller's deadline counts, up to the service's own; without one, that one."""
    assert deadline(1.0) == pytest.approx(1, abs=0.5)
    assert deadline(60.0) == pytest.approx(5, abs=0.5)
    assert deadline(None) == pytest.approx(5, abs=0.5)


@pytest.mark.parametrize("remaining", [0.0, -1.0])
def test_a_request_whose_deadline_is_over_is_not_begun(remaining: float) -> None:
    """What waited too long for a thread is refused before anything is decided."""
    with pytest.raises(DeadlineExceededError):
        deadline(remaining)
