"""SIGKILL under load: nothing that a client holds is missing from the ledger and its log.

``SIGNGATE_KILLS`` sets how many times (2 by default, 50 in the long campaign).
"""

import json
import os
import random
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from deploy.dev import environment
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.v1 import signing_service_pb2 as pb
from tests.end_to_end.conftest import Client, euros, sign_request
from tests.support.leaves import stored

KILLS = int(os.environ.get("SIGNGATE_KILLS", "2"))
CLIENTS = 4
POLICY = """
schema = 1
[assets.EUR]
decimals = 2
[keys.payments]
algorithm = "ed25519"
payloads = ["intent"]
[[keys.payments.grants]]
id = "all"
callers = ["spiffe://firm.example/payments"]
action = "intent.transfer"
assets = ["EUR"]
destinations = ["DE02120300000000202051"]
[[keys.payments.limits]]
asset = "EUR"
per_request = "10"
windows = [{ span = "24h", total = "1000000" }]
"""


@dataclass
class Load:
    """Clients that sign until they are told to stop, and all that they got."""

    client: Client
    seed: int
    released: list[tuple[pb.SignPayloadRequest, pb.SignPayloadResponse]] = field(
        default_factory=list
    )
    unanswered: list[pb.SignPayloadRequest] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start all clients."""
        for number in range(CLIENTS):
            pick = random.Random(self.seed * CLIENTS + number)
            thread = threading.Thread(target=self._run, args=(pick,))
            thread.start()
            self.threads.append(thread)

    def stop(self) -> None:
        """Wait for all clients."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self, pick: random.Random) -> None:
        while not self.stopping.is_set():
            request = sign_request(euros(pick.randint(1, 1000)))
            try:
                self.released.append((request, self.client.sign(request, timeout=5)))
            except grpc.RpcError:
                self.unanswered.append(request)
                return


def leaves(ledger: Path) -> dict[int, dict[str, Any]]:
    """Read the log from the ledger's file."""
    return {index: json.loads(body) for index, body in stored(ledger).items()}


def counted(ledger: Path) -> int:
    """Sum what the window counts, in cents."""
    with closing(sqlite3.connect(ledger)) as connection:
        return sum(int(total) for (total,) in connection.execute("SELECT total FROM buckets"))


def amount(request: pb.SignPayloadRequest) -> int:
    """Return what a request moves, in cents."""
    return int(json.loads(request.payload)["amount"])


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An installation of its own."""
    here = environment.create(
        tmp_path_factory.mktemp("killed"),
        policy=POLICY,
        keys={"payments": "ed25519"},
    )
    text = here.config.read_text(encoding="utf-8")
    text = text.replace('path = "ledger.db"', 'path = "ledger.db"\nlease_seconds = 1')
    here.config.write_text(text, encoding="utf-8")
    return here


@pytest.mark.long
@pytest.mark.timeout(60 + 20 * KILLS)
def test_a_killed_server_loses_nothing_that_it_released(killed: Environment) -> None:
    """Each released signature has its leaf, limits count it, the log verifies, retries work."""
    ledger = killed.directory / "ledger.db"
    released: list[tuple[pb.SignPayloadRequest, pb.SignPayloadResponse]] = []
    wait = random.Random(20)
    for number in range(KILLS):
        server = Serving(killed)
        load = Load(Client(killed.directory, "payments", server.signing), number)
        load.start()
        time.sleep(wait.uniform(0.1, 0.8))
        server.kill()
        load.stop()
        load.client.channel.close()
        released += load.released
        assert killed.signgate("audit", "verify", "--ledger", str(ledger)).returncode == 0
        check(released, ledger)
        with Serving(killed) as again:
            client = Client(killed.directory, "payments", again.signing)
            with client.channel:
                check_signatures(load.released, public_key(client))
                released += [(item, client.sign_in_the_end(item)) for item in load.unanswered]
        check(released, ledger)
    assert len(released) > 10 * KILLS


def check(
    released: list[tuple[pb.SignPayloadRequest, pb.SignPayloadResponse]], ledger: Path
) -> None:
    """Compare what clients hold with what the ledger knows."""
    records = leaves(ledger)
    for request, response in released:
        record = records[response.audit_index]
        assert record["request_id"] == request.request_id
        assert record["outcome"] == "granted"
        assert record["payload"]["sha256"] == sha256(request.payload).hexdigest()
    assert counted(ledger) >= sum(amount(request) for request, _ in released)


def public_key(client: Client) -> Ed25519PublicKey:
    """Fetch the key that all of these requests use."""
    response = client.stub.GetPublicKey(pb.GetPublicKeyRequest(name="keys/payments"), timeout=10)
    key = load_pem_public_key(response.pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    return key


def check_signatures(
    released: list[tuple[pb.SignPayloadRequest, pb.SignPayloadResponse]], key: Ed25519PublicKey
) -> None:
    """Verify every signature."""
    for request, response in released:
        key.verify(response.signature, request.payload)
