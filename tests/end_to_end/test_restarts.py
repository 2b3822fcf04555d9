"""A process that only a new one can replace says so, drains and ends; health tells the truth."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.dev.client import connect
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.errors import EXIT_RESTART
from tests.end_to_end.conftest import Client, sign_request
from tests.end_to_end.test_kills import killed
from tests.end_to_end.test_workers import pids, wait_for
from tests.support.faulty import Faulty

__all__ = ["killed"]  # the fixture: an installation with a wide window

SESSIONS = 4
Status = health_pb2.HealthCheckResponse


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """The switchboard of the module that the installation uses."""
    with Faulty(tmp_path, token="signgate") as made:
        for name, value in made.variables.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def hangs(killed: Environment, tmp_path: Path, faulty: Faulty) -> Environment:
    """An installation on the faulty module, where a call is stuck after a second."""
    here = killed.copy(tmp_path / "hangs")
    here.fix_ports()
    text = here.config.read_text(encoding="utf-8")
    text = re.sub('(?m)^module = ".*"', f'module = "{faulty.module}"', text)
    text = re.sub(r"(?m)^\[canary\].*\nkey = .*\n", "", text)  # it would take a fault for itself
    text = text.replace("[hsm]", "[hsm]\nstuck_seconds = 1")
    here.config.write_text(f"{text}\n[server]\ndrain_seconds = 3\n", encoding="utf-8")
    return here


def health(here: Environment, address: str) -> int:
    """Ask a port for its health; 0 where nobody answers."""
    with connect(here.directory, "stranger", address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=2).status)
        except grpc.RpcError:
            return 0


def occupy(client: Client) -> list[grpc.StatusCode]:
    """Have every session of the signer at work at once; return what came of it."""

    def call(_: int) -> grpc.StatusCode:
        try:
            client.sign(sign_request(), timeout=3)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    with ThreadPoolExecutor(SESSIONS) as threads:
        return list(threads.map(call, range(SESSIONS)))


def test_a_plain_process_that_hangs_ends_with_one_line(hangs: Environment, faulty: Faulty) -> None:
    """Callers get UNAVAILABLE, the process says why and ends with the code for a restart."""
    server = Serving(hangs)
    client = Client(hangs.directory, "payments", server.signing)
    assert client.sign(sign_request()).signature
    faulty.hang("C_Sign")
    assert set(occupy(client)) == {grpc.StatusCode.UNAVAILABLE}
    assert server.process.wait(30) == EXIT_RESTART
    server.kill()
    client.channel.close()
    assert server.log[-1].startswith("signgate: calls of the HSM hang")
    assert "Traceback" not in "".join(server.log)


def test_a_worker_that_hangs_is_replaced(hangs: Environment, faulty: Faulty) -> None:
    """Its supervisor starts a new process as soon as the token answers again."""
    with Serving(hangs, "--workers=2") as server:
        wait_for(lambda: len(pids(server)) == 3)
        before = {pid for command, pid in pids(server).items() if "--role=signing" in command}
        client = Client(hangs.directory, "payments", server.signing)
        faulty.hang("C_Sign")
        occupy(client)
        wait_for(lambda: not before <= set(pids(server).values()))
        faulty.clear()
        client.channel.close()
        again = Client(hangs.directory, "payments", server.signing)
        assert again.sign_in_the_end(sign_request()).signature
        again.channel.close()
        wait_for(lambda: len(pids(server)) == 3)
    assert any("asked for a restart" in line and str(EXIT_RESTART) in line for line in server.log)


def test_health_follows_the_token(hangs: Environment, faulty: Faulty) -> None:
    """The signing port is NOT_SERVING while no token is there; the control port goes on."""
    with Serving(hangs) as server:
        assert health(hangs, server.signing) == Status.SERVING
        faulty.remove()
        client = Client(hangs.directory, "payments", server.signing)
        with pytest.raises(grpc.RpcError):
            client.sign(sign_request(), timeout=5)
        wait_for(lambda: health(hangs, server.signing) == Status.NOT_SERVING)
        assert health(hangs, server.control) == Status.SERVING
        faulty.restore()
        wait_for(lambda: health(hangs, server.signing) == Status.SERVING)
        assert client.sign_in_the_end(sign_request()).signature
        client.channel.close()


def test_a_ledger_that_stopped_ends_the_process(hangs: Environment) -> None:
    """Nothing is signed without a ledger, and a new process may be able to write again."""
    server = Serving(hangs)
    ledger = hangs.directory / "ledger.db"
    client = Client(hangs.directory, "payments", server.signing)
    assert client.sign(sign_request()).signature
    for path in (ledger, ledger.with_name("ledger.db-wal"), ledger.with_name("ledger.db-shm")):
        with path.open("r+b") as file:
            file.write(b"\xff" * path.stat().st_size)
    with pytest.raises(grpc.RpcError) as caught:
        client.sign(sign_request(), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert server.process.wait(30) == EXIT_RESTART
    server.kill()
    client.channel.close()
    assert server.log[-1].startswith("signgate: the ledger has stopped")


def test_a_signal_after_all_is_still_a_clean_end(hangs: Environment, faulty: Faulty) -> None:
    """SIGTERM while a call hangs ends the process, and does not wait for the call."""
    server = Serving(hangs)
    client = Client(hangs.directory, "payments", server.signing)
    faulty.hang("C_Sign", times=1)
    with pytest.raises(grpc.RpcError):
        client.sign(sign_request(), timeout=0.5)
    client.channel.close()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    server.kill()
