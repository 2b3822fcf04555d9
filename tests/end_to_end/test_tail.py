"""The audit log over gRPC: live, without gaps, resumable."""

import json
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from deploy.dev.client import connect, reason_of
from deploy.dev.environment import SIGNGATE, Environment
from deploy.dev.serving import Serving
from signer.v1 import audit_service_pb2 as audit
from signer.v1 import audit_service_pb2_grpc as audit_rpc
from tests.end_to_end.conftest import Client, sign_request


@pytest.fixture
def stub(here: Environment, serving: Serving) -> audit_rpc.AuditServiceStub:
    """The audit service, as the SIEM sees it."""
    return audit_rpc.AuditServiceStub(connect(here.directory, "siem", serving.control))


def test_records_come_in_order_and_resume_without_gaps(stub: audit_rpc.AuditServiceStub) -> None:
    """From the start, or after any token, each index comes once and in order."""
    everything = list(stub.TailRecords(audit.TailRecordsRequest(stop_at_end=True), timeout=10))
    assert [item.index for item in everything] == list(range(len(everything)))
    assert all(json.loads(item.record)["index"] == item.index for item in everything)
    request = audit.TailRecordsRequest(resume_token=everything[0].resume_token, stop_at_end=True)
    rest = list(stub.TailRecords(request, timeout=10))
    assert rest[0].index == 1


def test_new_records_arrive_live(stub: audit_rpc.AuditServiceStub, payments: Client) -> None:
    """A reader at the end sees a decision as it is made."""
    tail = stub.TailRecords(audit.TailRecordsRequest(from_end=True), timeout=20)
    tail.initial_metadata()
    request = sign_request()
    payments.sign(request)
    record = json.loads(next(tail).record)
    tail.cancel()
    assert record["request_id"] == request.request_id


@pytest.mark.parametrize("fields", [{"resume_token": "x"}, {"resume_token": "1", "from_end": True}])
def test_a_bad_start_is_refused(
    stub: audit_rpc.AuditServiceStub, fields: dict[str, object]
) -> None:
    """A token that was never given out, or two ways to start, are refused by name."""
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.TailRecords(audit.TailRecordsRequest(**fields), timeout=5))  # type: ignore[arg-type]  # from a table
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "INVALID_REQUEST"


def _published(stub: audit_rpc.AuditServiceStub) -> audit.Checkpoint:
    """Return the newest checkpoint; a service that has just begun has none yet."""
    while True:
        try:
            return stub.GetCheckpoint(audit.GetCheckpointRequest(), timeout=60)
        except grpc.RpcError as error:
            if reason_of(error) != "NO_CHECKPOINT":
                raise
            time.sleep(0.1)


def test_streams_leave_room_for_others(stub: audit_rpc.AuditServiceStub) -> None:
    """One more stream than the port's share is refused, and the port still answers."""
    _published(stub)
    tails: list[Any] = []
    try:
        while len(tails) < 8:  # an earlier test's stream may be about to end
            tail = stub.TailRecords(audit.TailRecordsRequest())  # a deadline would free its place
            with suppress(grpc.RpcError):
                next(tail)
                tails.append(tail)
        with pytest.raises(grpc.RpcError) as caught:
            next(stub.TailRecords(audit.TailRecordsRequest(), timeout=60))
        assert reason_of(caught.value) == "TOO_MANY_STREAMS"
        assert _published(stub).tree_size > 0
    finally:
        for tail in tails:
            tail.cancel()


def tail_command(here: Environment, serving: Serving, *options: str) -> list[str]:
    """Return the command line of ``signgate audit tail`` as the SIEM would run it."""
    files = {"ca": "ca.crt", "certificate": "siem.crt", "private-key": "siem.key"}
    named = [f"--{name}={here.directory / file}" for name, file in files.items()]
    return [str(SIGNGATE), "audit", "tail", f"--address={serving.control}", *named, *options]


def test_the_command_prints_lines_and_goes_on_where_it_stopped(
    here: Environment, serving: Serving, payments: Client, tmp_path: Path
) -> None:
    """With a state file, the second run starts after the last record of the first."""
    options = ("--stop-at-end", f"--state={tmp_path / 'place'}")
    command = tail_command(here, serving, *options)
    first = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    indexes = [json.loads(line)["index"] for line in first.stdout.splitlines()]
    assert indexes == list(range(len(indexes)))
    payments.sign(sign_request())
    second = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(second.stdout.splitlines()[0])["index"] == len(indexes)


def test_the_command_says_in_one_line_what_is_wrong(here: Environment, serving: Serving) -> None:
    """A refused or unreadable certificate is one line and exit code 1."""
    command = tail_command(here, serving, "--stop-at-end")
    refused = [part.replace("siem.", "stranger.") for part in command]
    missing = [part.replace("siem.crt", "nobody.crt") for part in command]
    for wrong, expected in ((refused, "PERMISSION_DENIED"), (missing, "nobody.crt")):
        ended = subprocess.run(wrong, capture_output=True, text=True, check=False, timeout=30)
        assert ended.returncode == 1
        assert expected in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_a_policy_is_replayed_from_the_control_port(
    here: Environment, serving: Serving, payments: Client, tmp_path: Path
) -> None:
    """What was signed under the policy in force is refused by one that has other limits."""
    payments.sign(sign_request())
    options = tail_command(here, serving)[3:]
    candidate = tmp_path / "policy.toml"
    text = (here.directory / "policy.toml").read_text(encoding="utf-8")
    ends = []
    for per_request in ('"2500.00"', '"0.01"'):
        candidate.write_text(
            text.replace('per_request = "2500.00"', f"per_request = {per_request}")
        )
        command = [str(SIGNGATE), "policy", "replay", str(candidate), *options]
        ends.append(
            subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        )
    assert [ended.returncode for ended in ends] == [0, 3]
    assert "would be refused: LIMIT_PER_REQUEST keys.payments.limits.EUR" in ends[1].stdout
