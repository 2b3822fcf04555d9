"""Servers to load: a throw-away signer, or the echo server in a process of its own."""

import asyncio
import multiprocessing
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from deploy.dev import environment
from deploy.dev.ca import SERVER_NAMES, Authority, uri
from deploy.dev.serving import Serving
from loadtest import ending, http2
from loadtest.answers import Plain, Signer
from loadtest.echo import Echo
from loadtest.errors import LoadtestError
from loadtest.target import Target
from signer.v1 import signing_service_pb2 as pb

POLICY = Path(__file__).with_name("policy.toml")
KEYS = {
    "wd-usdc": "ecdsa-secp256k1",
    "payments": "ed25519",
    "orders": "ecdsa-p256",
}
START_SECONDS = 20
STOP_SECONDS = 5


@contextmanager
def signer(directory: Path) -> Iterator[Target]:
    """Make a signer with the profiles' policy in ``directory``, emptied first, and serve.

    Raises:
        LoadtestError: it could not be made, or did not start.
    """
    policy = POLICY.read_text(encoding="utf-8")
    try:
        made = environment.create(directory, policy=policy, keys=KEYS)
        made.serve_metrics()
        server = Serving(made)
    except subprocess.CalledProcessError as error:
        raise LoadtestError(f"{error}: {error.stderr}") from error
    except (OSError, RuntimeError) as error:
        raise LoadtestError(f"no signer in {directory}: {error}") from error
    with server:
        yield Target(server.signing, directory, (server.process.pid,), server.metrics)


def echo(directory: Path, *, plain: bool = False) -> AbstractContextManager[Target]:
    """Serve echoes from another process, with certificates in ``directory``.

    Raises:
        LoadtestError: it did not start.
    """
    return _elsewhere(directory, partial(_serve, plain=plain))


def quick_echo(directory: Path) -> AbstractContextManager[Target]:
    """Serve plain echoes of single payloads, at a cost that leaves the machine to the generator.

    Raises:
        LoadtestError: it did not start.
    """
    return _elsewhere(directory, _serve_quickly)


@contextmanager
def _elsewhere(directory: Path, serve: Callable[[Path, Connection], None]) -> Iterator[Target]:
    certificates(directory)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(directory, theirs), daemon=True)
    with ending.by_parent():
        process.start()
    try:
        if not ours.poll(START_SECONDS):
            raise LoadtestError(f"the echo server did not start within {START_SECONDS} s")
        yield Target(ours.recv(), directory, (process.pid or 0,))
    finally:
        ours.close()  # it serves until nobody is there
        process.join(STOP_SECONDS)
        process.kill()


def _serve(directory: Path, pipe: Connection, *, plain: bool) -> None:
    answers = Plain() if plain else Signer(POLICY.read_text(encoding="utf-8"))
    with Echo(directory, answers) as server:
        pipe.send(server.address)
        pipe.poll(None)  # until the other end is closed


def _serve_quickly(directory: Path, pipe: Connection) -> None:
    answers = Plain()

    def answer(message: bytes) -> bytes:
        request = pb.SignPayloadRequest.FromString(message)
        return answers.result("", request).response.SerializeToString()

    async def serve() -> None:
        async with http2.serving(directory, answer) as address:
            pipe.send(address)
            await asyncio.to_thread(pipe.poll, None)  # as above

    asyncio.run(serve())


def certificates(directory: Path) -> None:
    """Issue certificates for the echo server and every caller, unless there are some."""
    if (directory / "ca.crt").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    authority = Authority()
    authority.issue(SERVER_NAMES).write(directory, "server")
    for name, san in environment.CALLERS.items():
        authority.issue([uri(san)]).write(directory, name)
    (directory / "ca.crt").write_bytes(authority.certificate)
