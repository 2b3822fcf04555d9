"""Freezing, slowing and approving from the command line, against a served ledger."""

import re
from collections.abc import Callable, Iterator
from typing import cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from typer.testing import Result

from deploy.dev.client import connect, reason_of
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.v1 import approval_service_pb2, approval_service_pb2_grpc, control_service_pb2
from signer.v1 import signing_service_pb2 as pb
from signer.v1.control_service_pb2_grpc import ControlServiceStub
from tests.end_to_end.conftest import Client, euros, refused, run_as, sign_request

Signgate = Callable[..., Result]
WHY = ("--reason", "odd traffic")


@pytest.fixture(scope="module")
def duty(
    here: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Environment, Serving]]:
    """A server of its own, which the tests below stop and start."""
    copied = here.copy(tmp_path_factory.mktemp("duty"))
    with Serving(copied) as server:
        yield copied, server


@pytest.fixture
def signgate(duty: tuple[Environment, Serving]) -> Signgate:
    """Run ``signgate`` with somebody's certificate."""
    return lambda who, *arguments: run_as(*duty, who, *arguments)


@pytest.fixture
def client(duty: tuple[Environment, Serving]) -> Iterator[Client]:
    """The payment service."""
    made = Client(duty[0].directory, "payments", duty[1].signing)
    with made.channel:
        yield made


def refusal(client: Client, request: pb.SignPayloadRequest) -> error_details_pb2.ErrorInfo:
    """Return what a caller is told of a request that is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        client.sign(request)
    status = rpc_status.from_call(cast("grpc.Call", caught.value))
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info


def hash_of(result: Result) -> str:
    """Return the payload's hash that a command printed."""
    found = re.search(r"^  sha256 ([0-9a-f]{64})$", result.output, re.MULTILINE)
    assert found, result.output
    return found[1]


def test_a_held_request_from_the_call_to_its_signature(signgate: Signgate, client: Client) -> None:
    """The caller is told a name; approvers read words, agree to a hash; the retry is signed."""
    request = sign_request(euros(150_000))
    info = refusal(client, request)
    assert info.reason == "APPROVAL_REQUIRED"
    name = info.metadata["approval"]
    listed = signgate("officer-a", "approvals", "list").output
    assert f"{name} (pending, 0 of 2 approvals): intent.transfer" in listed
    assert "pays 1500 EUR to DE02120300000000202051" in listed
    assert signgate("officer-c", "approvals", "list").output == ""
    assert "APPROVAL_NOT_FOUND" in refused(signgate("officer-c", "approvals", "show", name))
    shown = signgate("officer-a", "approvals", "show", name.removeprefix("approvals/"))
    assert "asked for by spiffe://firm.example/payments" in shown.output
    for wrong in ("0" * 64, "zz" * 32, "00"):
        assert "sha256" in refused(
            signgate("officer-a", "approvals", "approve", name, "--sha256", wrong)
        )
    digest = ("--sha256", hash_of(shown))
    signgate("officer-a", "approvals", "approve", name, *digest)
    assert refusal(client, request).metadata["approval"] == name
    last = signgate("officer-b", "approvals", "approve", name, *digest)
    assert f"{name} (approved, 2 of 2 approvals)" in last.output
    assert client.sign(request).signature
    assert signgate("officer-b", "approvals", "list").output == ""
    assert "(used, " in signgate("officer-b", "approvals", "show", name).output
    assert "APPROVAL_CLOSED" in refused(signgate("officer-b", "approvals", "reject", name, *WHY))


def test_a_rejected_request(signgate: Signgate, client: Client) -> None:
    """One approver ends it, and the caller is told so."""
    request = sign_request(euros(150_000))
    name = refusal(client, request).metadata["approval"]
    assert "(rejected, " in signgate("officer-b", "approvals", "reject", name, *WHY).output
    info = refusal(client, request)
    assert (info.reason, info.metadata["approval"]) == ("APPROVAL_REJECTED", "")


SCOPES = [
    ("key", "payments"),
    ("caller", "spiffe://firm.example/payments"),
    ("asset", "EUR"),
    ("destination", "DE02120300000000202051"),
    ("everything",),
]


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope[0])
def test_a_freeze_from_its_begin_to_its_end(
    signgate: Signgate, client: Client, scope: tuple[str, ...]
) -> None:
    """Anybody on the port stops it at once; the officer who asks and another end it."""
    frozen = signgate("siem", "freeze", *scope, *WHY).output
    assert "frozen by spiffe://firm.example/siem at " in frozen
    assert frozen.endswith(": odd traffic; 0 of 2 officers ask for its end\n")
    assert signgate("officer-c", "freezes").output == frozen
    assert refusal(client, sign_request()).reason == "FROZEN"
    assert "OFFICER_REQUIRED" in refused(signgate("siem", "unfreeze", *scope, *WHY))
    for _ in range(2):
        asked = signgate("officer-a", "unfreeze", *scope, *WHY).output
        assert asked.endswith("1 of 2 officers ask for its end (spiffe://firm.example/officer/a)\n")
    assert signgate("officer-a", "policy", "proposals").exit_code == 0
    assert signgate("officer-c", "unfreeze", *scope, *WHY).output.endswith(": not frozen\n")
    assert signgate("officer-c", "freezes").output == ""
    assert client.sign(sign_request()).signature


def test_an_emergency_rate(signgate: Signgate, client: Client) -> None:
    """It holds from the next request on, goes down only, and ends like a freeze."""
    key = ("slow", "key", "payments", *WHY)
    slowed = signgate("siem", *key, "--per-minute=3").output
    assert slowed.startswith("key payments: slowed to 3 a minute by spiffe://firm.example/siem")
    assert signgate("siem", "freezes").output == slowed
    assert "RATE_NOT_LOWER" in refused(signgate("siem", *key, "--per-minute=4"))
    assert "to 0 a minute" in signgate("siem", *key, "--per-minute=0").output
    assert refusal(client, sign_request()).reason == "EMERGENCY_RATE"
    signgate("officer-a", *key, "--end")
    assert signgate("officer-b", *key, "--end").output == "key payments: not slowed\n"
    assert client.sign(sign_request()).signature


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("freeze", "key", "payment", *WHY),
            "SCOPE_UNKNOWN: the policy in force has no key payment; did you mean payments",
        ),
        (("slow", "asset", "GBP", "--per-minute=1", *WHY), "SCOPE_UNKNOWN"),
        (("freeze", "caller", "spiffe://firm.example/*", *WHY), "INVALID_REQUEST: scope.caller: "),
        (("freeze", "key", "payments", "--reason", ""), "INVALID_REQUEST: reason"),
        (("freeze", "keys", "payments", *WHY), "name what to stop"),
        (("freeze", "everything", "payments", *WHY), "name what to stop"),
        (("unfreeze", "key", *WHY), "name what to stop"),
        (("slow", "key", "payments", *WHY), "exactly one of --per-minute and --end"),
        (("slow", "key", "payments", "--per-minute=1", "--end", *WHY), "exactly one of"),
        (("slow", "key", "payments", "--per-minute=1000001", *WHY), "requests_per_minute"),
        (("approvals", "show", "x"), "INVALID_REQUEST: name"),
    ],
)
def test_what_cannot_be_stopped(signgate: Signgate, arguments: tuple[str, ...], told: str) -> None:
    """One line says what was wrong and what would be right; nothing is stopped."""
    assert told in refused(signgate("officer-a", *arguments))
    assert signgate("officer-a", "freezes").output == ""


def test_a_name_that_the_policy_does_not_have(signgate: Signgate) -> None:
    """It is frozen by whoever insists, and an asset goes by its identifier, too."""
    strange = ("destination", "0x00000000000000000000000000000000000000aa")
    assert "frozen by" in signgate("officer-a", "freeze", *strange, "--unknown", *WHY).output
    gas = ("asset", "eip155:1/slip44:60")
    assert "asset ETH@eip155:1: frozen" in signgate("officer-a", "freeze", *gas, *WHY).output
    for officer in ("officer-a", "officer-b"):
        for what in (strange, gas):
            signgate(officer, "unfreeze", *what, *WHY)
    assert signgate("officer-a", "freezes").output == ""


def test_messages_that_no_command_sends(duty: tuple[Environment, Serving]) -> None:
    """Each bad field of a message is named."""
    here, server = duty
    with connect(here.directory, "officer-a", server.control) as channel:
        control = ControlServiceStub(channel)
        approvals = approval_service_pb2_grpc.ApprovalServiceStub(channel)
        scope = control_service_pb2.Scope
        for call, told in (
            (lambda: control.Freeze(control_service_pb2.FreezeRequest(reason="x")), "scope"),
            (
                lambda: control.Freeze(
                    control_service_pb2.FreezeRequest(scope=scope(everything=False), reason="x")
                ),
                "scope",
            ),
            (
                lambda: approvals.ListApprovals(
                    approval_service_pb2.ListApprovalsRequest(page_token="x")
                ),
                "page_token",
            ),
            (
                lambda: approvals.ListApprovals(
                    approval_service_pb2.ListApprovalsRequest(page_size=-1)
                ),
                "page_size",
            ),
            (
                lambda: approvals.ApproveRequest(
                    approval_service_pb2.ApproveRequestRequest(name="approvals/1")
                ),
                "payload_sha256",
            ),
        ):
            with pytest.raises(grpc.RpcError, match=told) as caught:
                call()
            assert reason_of(caught.value) == "INVALID_REQUEST"


def test_approvals_come_in_pages(
    duty: tuple[Environment, Serving], client: Client, signgate: Signgate
) -> None:
    """A page has so many, and the next one goes on after it."""
    names = [refusal(client, sign_request(euros(150_000))).metadata["approval"] for _ in range(3)]
    with connect(duty[0].directory, "officer-a", duty[1].control) as channel:
        stub = approval_service_pb2_grpc.ApprovalServiceStub(channel)
        found, token = [], ""
        for size in (2, 1):
            request = approval_service_pb2.ListApprovalsRequest(page_size=2, page_token=token)
            page = stub.ListApprovals(request)
            assert len(page.approvals) == size
            found += [approval.name for approval in page.approvals]
            token = page.next_page_token
    assert (found, token) == (names, "")
    for name in names:
        signgate("officer-a", "approvals", "reject", name, *WHY)


def test_the_signing_ports_callers_are_no_officers(duty: tuple[Environment, Serving]) -> None:
    """Whoever may sign may neither stop, nor approve, nor see what waits."""
    for command in (("freezes",), ("freeze", "everything", *WHY), ("approvals", "list")):
        assert "CALLER_NOT_ALLOWED" in refused(run_as(*duty, "payments", *command))
