"""What a caller is told of an error."""

import re
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from deploy.dev import refusals
from policy.reasons import Code as PolicyCode
from policy.reasons import Reason
from signer import errors
from signer.codes import Code as ServiceCode
from signer.rpc.status import STATUS, shielded, status_of

SECRET = Reason(PolicyCode.DESTINATION_NOT_ALLOWED, "keys.k.grants.g", "0x1111 is not in @treasury")


def info_of(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """Unpack the error info of a status."""
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


@pytest.mark.parametrize("code", [*PolicyCode, *ServiceCode])
def test_every_code_has_a_status(code: PolicyCode | ServiceCode) -> None:
    """No code is without a status, and none is OK or unknown."""
    assert STATUS[code] in {status.value[0] for status in grpc.StatusCode} - {0, 2}


def test_codes_do_not_collide() -> None:
    """A code means one thing, whether the policy or the service says it."""
    assert len(STATUS) == len(PolicyCode) + len(ServiceCode)
    assert len({str(code) for code in STATUS}) == len(STATUS)


def test_a_refusal_tells_its_code_and_no_rule() -> None:
    """The caller gets the stable reason and the audit index; rules and details stay inside."""
    status = status_of(errors.RefusedError((SECRET,), 42))
    assert status.code == code_pb2.PERMISSION_DENIED
    assert info_of(status).reason == "DESTINATION_NOT_ALLOWED"
    assert info_of(status).domain == "signgate"
    assert info_of(status).metadata == {"audit_index": "42"}
    assert b"treasury" not in status.SerializeToString()
    assert b"grants" not in status.SerializeToString()


def test_a_bug_tells_only_a_reference() -> None:
    """An exception that is not ours does not reach the caller."""
    seen = shielded(ValueError("secret path /etc/pin"))
    status = status_of(seen)
    assert status.code == code_pb2.INTERNAL
    assert "secret" not in status.message
    assert status.message.startswith("internal error, reference ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.LedgerUnavailableError("the ledger does not answer"), code_pb2.UNAVAILABLE),
        (errors.HsmOverloadedError("17 requests wait", 0.25), code_pb2.RESOURCE_EXHAUSTED),
    ],
)
def test_what_may_be_tried_again_carries_a_hint(error: errors.SigngateError, code: int) -> None:
    """What may be tried again says when."""
    status = status_of(error)
    hint = error_details_pb2.RetryInfo()
    assert status.code == code
    assert status.details[1].Unpack(hint)
    assert hint.retry_delay.nanos > 0


def test_the_published_table_is_that_of_the_code() -> None:
    """Each code is there once with its status, and the page is what the generator writes."""
    text = refusals.PAGE.read_text(encoding="utf-8")
    assert text == refusals.page()
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \| [^|]+\. \| [^|]+\. \|$", text, re.MULTILINE
    )
    assert rows == [(str(code), code_pb2.Code.Name(number)) for code, number in listed()]


def listed() -> list[tuple[str, int]]:
    """Return codes and statuses in the order of the code."""
    return [(code, STATUS[code]) for code in (*PolicyCode, *ServiceCode)]


def test_a_page_that_differs_is_refused(tmp_path: Path) -> None:
    """The check ends with what is to be done, whether the page is missing or old."""
    path = tmp_path / "refusals.md"
    with pytest.raises(SystemExit, match="run `make refusals`"):
        refusals.main(["--check"], path)
    refusals.main([], path)
    refusals.main(["--check"], path)
    path.write_text(refusals.page().replace("FROZEN", "COLD"), encoding="utf-8")
    with pytest.raises(SystemExit, match="run `make refusals`"):
        refusals.main(["--check"], path)
