"""Rate limits on a running server: who is refused, what it is told, what is written down."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.dev.client import reason_of
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.v1 import signing_service_pb2 as pb
from tests.end_to_end.conftest import Client, run_as, sign_request

RATES = """
[rates]
caller = { per_second = 0.001, burst = 1000 }
key = { per_second = 0.001, burst = 4 }
"""


def test_a_key_has_a_rate(here: Environment, tmp_path: Path) -> None:
    """Beyond it there is a reason and a time to wait; health goes on, and a leaf tells of it."""
    copied = here.copy(tmp_path / "rates")
    text = copied.config.read_text(encoding="utf-8")
    copied.config.write_text(text + RATES, encoding="utf-8")
    with Serving(copied) as server:
        client = Client(copied.directory, "payments", server.signing)
        for _ in range(2):
            client.sign(sign_request())
        batch = pb.BatchSignPayloadsRequest(requests=[sign_request() for _ in range(4)])
        results = client.stub.BatchSignPayloads(batch, timeout=10).results
        assert [result.WhichOneof("result") for result in results] == ["response"] * 2 + [
            "error"
        ] * 2
        hint = error_details_pb2.RetryInfo()
        assert results[2].error.details[1].Unpack(hint)
        assert hint.retry_delay.seconds > 100
        with pytest.raises(grpc.RpcError) as caught:
            client.sign(sign_request())
        assert reason_of(caught.value) == "RATE_LIMITED"
        health: Any = health_pb2_grpc.HealthStub(client.channel)
        for _ in range(1000):
            found = health.Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert found.status == health_pb2.HealthCheckResponse.SERVING
        client.channel.close()
    with Serving(copied) as server:
        found = run_as(copied, server, "siem", "audit", "tail", "--stop-at-end").output
        told = [line for line in found.splitlines() if '"rate.limited"' in line]
        assert ['"detail":"key payments: 3"' in line for line in told] == [True]
