"""A whole signer as users run it: a process, real sockets, real TLS, a real token."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from deploy.dev import environment
from deploy.dev.client import connect, intent
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.cli.commands import app
from signer.errors import SigngateError
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as rpc

# A server that shuts down ends calls that it has not begun with CANCELLED.
TRANSIENT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
FAR_EXPIRY = 4_000_000_000


def euros(amount: int = 100) -> bytes:
    """Return an intent of cents to a supplier."""
    return intent(
        asset="EUR",
        amount=str(amount),
        destination="DE02120300000000202051",
        nonce=uuid.uuid4().hex,
        expiry=FAR_EXPIRY,
    )


def sign_request(
    payload: bytes | None = None, key: str = "payments", **fields: Any
) -> pb.SignPayloadRequest:
    """Return a request that the example policy grants to ``payments``."""
    members: dict[str, Any] = {
        "name": f"keys/{key}",
        "request_id": uuid.uuid4().hex,
        "payload_format": "intent",
        "payload": euros() if payload is None else payload,
    }
    return pb.SignPayloadRequest(**members | fields)


class Client:
    """A caller of the signing port."""

    def __init__(self, directory: Path, name: str, address: str) -> None:
        self.channel: grpc.Channel = connect(directory, name, address)
        self.stub = rpc.SigningServiceStub(self.channel)

    def sign(self, request: pb.SignPayloadRequest, timeout: float = 10) -> pb.SignPayloadResponse:
        """Sign one payload."""
        return self.stub.SignPayload(request, timeout=timeout)

    def sign_in_the_end(self, request: pb.SignPayloadRequest) -> pb.SignPayloadResponse:
        """Repeat a request until a server has time for it and its first attempt has ended."""
        for _ in range(100):
            try:
                return self.sign(request)
            except grpc.RpcError as error:
                if error.code() not in TRANSIENT:
                    raise
                time.sleep(0.1)
        raise TimeoutError(f"request {request.request_id} did not get through")


def run_as(here: Environment, server: Serving, who: str, *arguments: str) -> Result:
    """Run a command of ``signgate`` against the control port with somebody's certificate."""
    variables = {
        "SIGNGATE_CONTROL": server.control,
        "SIGNGATE_CA": str(here.directory / "ca.crt"),
        "SIGNGATE_CERTIFICATE": str(here.directory / f"{who}.crt"),
        "SIGNGATE_PRIVATE_KEY": str(here.directory / f"{who}.key"),
    }
    return CliRunner().invoke(app, arguments, env=variables)


def refused(result: Result) -> str:
    """Return the one line that a command failed with."""
    assert isinstance(result.exception, SigngateError), result.output
    assert result.exit_code == 1
    line = str(result.exception)
    assert "\n" not in line
    return line


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An installation with the example configuration and policy."""
    return environment.create(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="session")
def serving(here: Environment) -> Iterator[Serving]:
    """Its server, for tests that leave it as it is."""
    with Serving(here) as server:
        yield server


@pytest.fixture(scope="session")
def payments(here: Environment, serving: Serving) -> Iterator[Client]:
    """A caller that the example policy lets sign intents."""
    client = Client(here.directory, "payments", serving.signing)
    with client.channel:
        yield client
