"""More calls than the server takes: refused at once, counted, and the rest are served."""

from pathlib import Path
from typing import Any

import grpc

from deploy.dev.client import reason_of
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from tests.end_to_end.conftest import Client, sign_request
from tests.end_to_end.test_kills import check, killed, leaves
from tests.end_to_end.test_metrics import scrape, total

__all__ = ["killed"]  # the fixture: an installation with a wide window

CALLS = 200


def test_calls_beyond_the_bound_are_refused_at_once(killed: Environment, tmp_path: Path) -> None:
    """Each call is signed or refused with RESOURCE_EXHAUSTED; none is lost or charged twice."""
    here = killed.copy(tmp_path / "small")
    here.serve_metrics()
    bounds = "\n[server]\nthreads = 1\nmax_calls = 16\n"
    here.config.write_text(here.config.read_text(encoding="utf-8") + bounds, encoding="utf-8")
    with Serving(here) as server:
        client = Client(here.directory, "payments", server.signing)
        requests = [sign_request() for _ in range(CALLS)]
        calls = [client.stub.SignPayload.future(request, timeout=30) for request in requests]
        ended = [
            (request, call, call.code()) for request, call in zip(requests, calls, strict=True)
        ]
        client.channel.close()
        found = scrape(server)
    codes = {code for _, _, code in ended}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    signed = [(item, call.result()) for item, call, code in ended if code is grpc.StatusCode.OK]
    refused: list[Any] = [call for _, call, code in ended if code is not grpc.StatusCode.OK]
    assert {reason_of(call) for call in refused} == {"RATE_LIMITED"}
    method = {"method": "signer.v1.SigningService/SignPayload"}
    for name, expected, labels in (
        ("signgate_shed_calls_total", len(refused), method),
        ("signgate_payloads_total", len(refused), {"outcome": "RATE_LIMITED"}),
        ("signgate_payloads_total", len(signed), {"outcome": "SIGNED"}),
        ("signgate_calls_total", len(refused), {**method, "code": "RESOURCE_EXHAUSTED"}),
        ("signgate_call_seconds_count", len(signed), method),
    ):
        assert total(found, name, **labels) == expected, (name, labels)
    limited = [
        record["detail"]
        for record in leaves(here.directory / "ledger.db").values()
        if record["event"] == "rate.limited"
    ]
    assert sum(int(detail.removeprefix("share: ")) for detail in limited) == len(refused)
    check(signed, here.directory / "ledger.db")
