"""More calls than the server takes: refused at once, and the rest are served."""

from pathlib import Path

import grpc

from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from tests.end_to_end.conftest import Client, sign_request
from tests.end_to_end.test_kills import check, killed

__all__ = ["killed"]  # the fixture: an installation with a wide window

CALLS = 200


def test_calls_beyond_the_bound_are_refused_at_once(killed: Environment, tmp_path: Path) -> None:
    """Each call is signed or refused with RESOURCE_EXHAUSTED; none is lost or charged twice."""
    here = killed.copy(tmp_path / "small")
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
    codes = {code for _, _, code in ended}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    signed = [(item, call.result()) for item, call, code in ended if code is grpc.StatusCode.OK]
    check(signed, here.directory / "ledger.db")
