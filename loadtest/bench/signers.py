"""The signers that are measured: real ones, of the release's own parts."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.dev import environment
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from loadtest.bench.subjects import SUBJECTS, Subject
from loadtest.errors import LoadtestError
from loadtest.peers import KEYS, POLICY
from loadtest.target import Target
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as rpc

RSA = SUBJECTS[-1]
RSA_POLICY = f"""
[keys.{RSA.key}]
algorithm = "{RSA.algorithm.value}"
payloads = ["intent"]

[[keys.{RSA.key}.grants]]
id = "signing"
callers = ["spiffe://firm.example/payments"]
action = "intent.transfer"
assets = ["EUR"]
destinations = ["@suppliers"]

[[keys.{RSA.key}.limits]]
asset = "EUR"
per_request = "50000"
windows = [{{ span = "24h", total = "1000000000000", count = 1000000000 }}]
"""


def policy() -> str:
    """Return the policy of the load profiles, with a key of RSA."""
    return POLICY.read_text(encoding="utf-8") + RSA_POLICY


def install(directory: Path) -> Environment:
    """Make an installation with a key of each algorithm in ``directory``, emptied first."""
    try:
        made = environment.create(directory, policy=policy(), keys=KEYS)
        made.signgate(
            *("keys", "generate", RSA.key, "--algorithm", RSA.algorithm.value),
            *("--bits", "2048", "--config", str(made.config)),
        )
    except subprocess.CalledProcessError as error:
        raise LoadtestError(f"{error}: {error.stderr}") from error
    return made


@dataclass(frozen=True, slots=True)
class Signer:
    """One that serves."""

    target: Target
    log: list[str]

    def public_key(self, subject: Subject) -> tuple[str, bytes]:
        """Return a key's name and its public key, serialised."""
        request = pb.GetPublicKeyRequest(name=f"keys/{subject.key}")
        with self.target.connect(subject.client) as channel:
            found = rpc.SigningServiceStub(channel).GetPublicKey(request, timeout=10)
        return subject.key, found.SerializeToString()


@contextmanager
def serving(installed: Environment, *, workers: int) -> Iterator[Signer]:
    """Serve with so many signing processes, each on a core of its own.

    Raises:
        LoadtestError: it did not start.
    """
    text = installed.config.read_text(encoding="utf-8")
    fixed = re.sub(r'(?m)^listen = ".*"', lambda _: f'listen = "127.0.0.1:{_free_port()}"', text)
    installed.config.write_text(fixed, encoding="utf-8")
    try:
        server = Serving(installed, f"--workers={workers}")
    except RuntimeError as error:
        raise LoadtestError(str(error)) from error
    with server:
        yield Signer(Target(server.signing, installed.directory, (server.process.pid,)), server.log)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
