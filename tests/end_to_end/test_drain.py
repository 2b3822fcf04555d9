"""SIGTERM: what was accepted is answered, the log is published, nothing is left over."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.dev.client import connect
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.v1 import audit_service_pb2 as audit
from signer.v1 import audit_service_pb2_grpc as audit_rpc
from signer.v1 import signing_service_pb2 as pb
from tests.end_to_end.conftest import Client, sign_request
from tests.end_to_end.test_kills import Load, check, killed

__all__ = ["killed"]  # the fixture: an installation with a wide window


def test_no_accepted_request_is_lost(killed: Environment) -> None:
    """Every call that was under way at SIGTERM is answered with OK, or was never decided."""
    server = Serving(killed)
    load = Load(Client(killed.directory, "payments", server.signing), seed=1)
    load.start()
    time.sleep(0.5)
    assert server.stop() == 0
    load.stop()
    load.client.channel.close()
    ledger = killed.directory / "ledger.db"
    check(load.released, ledger)
    undecided = {request.request_id for request in load.unanswered}
    with Serving(killed) as again, connect(killed.directory, "siem", again.control) as channel:
        records = audit_rpc.AuditServiceStub(channel).TailRecords(
            audit.TailRecordsRequest(stop_at_end=True), timeout=30
        )
        assert not [item for item in records if any(i.encode() in item.record for i in undecided)]


def test_open_streams_end_and_the_log_is_published(killed: Environment) -> None:
    """Streams that wait for more do not hold up the drain; the published log verifies."""
    server = Serving(killed)
    client = Client(killed.directory, "payments", server.signing)
    open_end = threading.Event()

    def waiting() -> Iterator[pb.StreamSignPayloadsRequest]:
        yield pb.StreamSignPayloadsRequest(request=sign_request())
        open_end.wait(30)

    answers = client.stub.StreamSignPayloads(waiting())
    assert next(answers).result.response.signature
    with connect(killed.directory, "siem", server.control) as channel:
        tail = audit_rpc.AuditServiceStub(channel).TailRecords(audit.TailRecordsRequest())
        assert next(tail).index == 0
        before = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - before < 10
    open_end.set()
    client.channel.close()
    key = killed.signgate("audit", "key", "--config", str(killed.config)).stdout.strip()
    log = killed.directory / "log"
    assert killed.signgate("audit", "verify", str(log), "--key", key).returncode == 0


def test_a_second_server_on_one_ledger_agrees(killed: Environment, tmp_path: Path) -> None:
    """Two servers on one ledger see each other's request ids."""
    with Serving(killed) as first, Serving(killed) as second:
        request = sign_request()
        one = Client(killed.directory, "payments", first.signing)
        two = Client(killed.directory, "payments", second.signing)
        with one.channel, two.channel:
            signature = one.sign(request).signature
            again = two.sign_in_the_end(request)  # the outcome comes with the next transaction
            assert again.replayed
            assert again.signature == signature


@pytest.mark.parametrize("times", [2])
def test_a_server_starts_again_on_what_it_left(killed: Environment, times: int) -> None:
    """A restart finds policy, usage and log as they were."""
    for _ in range(times):
        with Serving(killed) as server:
            client = Client(killed.directory, "payments", server.signing)
            with client.channel:
                assert client.sign(sign_request()).policy_version == 1
