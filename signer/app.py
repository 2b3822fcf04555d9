"""The composition root: everything that runs is built here, and only here."""

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import structlog

from policy import document
from policy.algorithms import Algorithm
from policy.payloads import FORMATS, decode
from policy.problems import PolicyError
from policy.rules import Policy
from signer import logs
from signer.approval import Mint
from signer.audit.note import Verifier
from signer.audit.publisher import LogMismatchError, Publisher
from signer.config import Config, Hsm, Replica, load, read
from signer.errors import ConfigError
from signer.hsm import Limits, Pool, Token, open_token
from signer.keyring import Keyring
from signer.ledger import Ledger, Settings
from signer.pin import provider
from signer.rpc.audit_service import AuditService
from signer.rpc.peer import only
from signer.rpc.server import Server
from signer.rpc.signing_service import SigningService
from signer.rpc.tls import credentials
from signer.signing import Signing
from signer.v1 import audit_service_pb2_grpc, signing_service_pb2_grpc

CONTROL_THREADS = 16
ROLES = ("control", "signing")
MESSAGE_BYTES = 16 * 1024 * 1024
DAY_MS = 24 * 3_600_000

_log = structlog.get_logger(__name__)


class Core:
    """What every port needs: the ledger, the token and the pool over it."""

    def __init__(self, config: Config) -> None:
        mint = Mint()
        self.ledger = _ledger(config, mint)
        hsm = config.hsm
        self.tokens = _tokens(hsm)
        limits = Limits(
            queue=hsm.queue,
            stuck_seconds=hsm.stuck_seconds,
            keepalive_seconds=hsm.keepalive_seconds,
            bulk_keys=hsm.bulk_keys,
        )
        self.pool = Pool(*self.tokens, sessions=hsm.sessions, redeem=mint.redeem, limits=limits)
        _check_keys(self.ledger.policy(), self.pool, config)

    def close(self) -> None:
        """Close everything, the ledger first: it makes durable what is queued."""
        self.ledger.close()
        self.pool.close()
        for token in self.tokens:
            token.close()


class SigningPort:
    """The application zone's port."""

    name = "signing"

    def __init__(self, config: Config, core: Core, *, shared: bool) -> None:
        allowed = only(config.signing.callers)
        self._service = SigningService(
            Signing(core.ledger, core.pool),
            Keyring(core.ledger.policy, core.pool),
            partial(decode, max_bytes=config.server.max_payload_bytes),
            allowed,
            config.server.request_seconds,
        )
        self._server = Server(
            config.server.threads, MESSAGE_BYTES, max_calls=config.server.max_calls, shared=shared
        )
        signing_service_pb2_grpc.add_SigningServiceServicer_to_server(
            self._service, self._server.grpc
        )
        self._server.name_service("signer.v1.SigningService")
        self.address = self._server.bind(config.signing.listen, credentials(config.tls))

    def start(self) -> None:
        """Take calls."""
        self._server.start()

    def stop(self, seconds: float) -> None:
        """Take no more calls and answer those that were accepted."""
        self._service.drain()
        self._server.drain(seconds)


class ControlPort:
    """The security zone's port, and the publication of the audit log."""

    name = "control"

    def __init__(self, config: Config, core: Core, *, shared: bool) -> None:
        allowed = only(config.control.callers)
        self._ledger = core.ledger
        self._publisher = _publisher(config, core.ledger, core.pool)
        self._service = AuditService(core.ledger, self._publisher.newest, allowed)
        self._server = Server(CONTROL_THREADS, MESSAGE_BYTES, shared=shared)
        audit_service_pb2_grpc.add_AuditServiceServicer_to_server(self._service, self._server.grpc)
        self._server.name_service("signer.v1.AuditService")
        self._server.reflect(allowed)
        self.address = self._server.bind(config.control.listen, credentials(config.tls))

    def start(self) -> None:
        """Take calls and publish."""
        self._publisher.start()
        self._server.start()

    def stop(self, seconds: float) -> None:
        """Take no more calls, end the streams, publish the log to its end."""
        self._service.drain()
        self._ledger.interrupt()
        self._server.drain(seconds)
        self._ledger.flush()
        self._publisher.close()


# In the order of their start; they stop in the opposite order.
PORTS: tuple[type[ControlPort | SigningPort], ...] = (ControlPort, SigningPort)


class Service:
    """Ports in one process; nothing is reachable before ``start``."""

    def __init__(self, config: Config, roles: Collection[str] = ROLES, *, shared: bool) -> None:
        """Open everything that the configuration names.

        ``roles`` names the ports; ``shared`` lets other processes listen there, too.

        Raises:
            SigngateError: something can't be had; one line says what.
        """
        self._drain_seconds = config.server.drain_seconds
        credentials(config.tls)  # what can be wrong there is cheaper to find than a token
        self._core = Core(config)
        self._ports = [
            port(config, self._core, shared=shared) for port in PORTS if port.name in roles
        ]

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of the ports by their names."""
        return {port.name: port.address for port in self._ports}

    def start(self) -> None:
        """Take calls on all ports."""
        for port in self._ports:
            port.start()

    def stop(self) -> None:
        """Answer what was accepted, publish the log to its end, close everything."""
        for port in reversed(self._ports):
            port.stop(self._drain_seconds)
        self._core.close()


def run(
    path: Path,
    roles: Collection[str] = ROLES,
    *,
    shared: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve with a configuration file until SIGTERM or SIGINT, then drain.

    ``ready`` is called once everything takes calls.

    Raises:
        SigngateError: the service can't start; one line says why.
    """
    config = load(path)
    logs.configure(config.log.level)
    stopped = _stop_signals()
    service = Service(config, roles, shared=shared)
    service.start()
    _log.info("serving", **service.addresses)
    ready()
    stopped.read(1)
    _log.info("draining")
    service.stop()
    _log.info("stopped")


def _stop_signals() -> BinaryIO:
    """Return a pipe that can be read once SIGTERM or SIGINT has come.

    Unlike an event, whose lock the interrupted thread may hold, a pipe can be
    written to by a handler at any moment. When it is full, one more says nothing new.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def tell(*_: object) -> None:
        with suppress(BlockingIOError):
            os.write(writing, b".")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    return os.fdopen(reading, "rb", buffering=0)


def _ledger(config: Config, mint: Mint) -> Ledger:
    settings = Settings(
        origin=config.audit.origin,
        audit_key=config.audit.key,
        audit_version=config.audit.version,
        lease_ms=config.ledger.lease_seconds * 1000,
        retention_ms=config.ledger.retention_days * DAY_MS,
    )
    ledger = Ledger(config.ledger.path, mint, partial(document.load, formats=FORMATS), settings)
    for path, put in (
        (config.policy.root, ledger.bootstrap_root),
        (config.policy.bootstrap, ledger.bootstrap_policy),
    ):
        if path is not None:
            try:
                put(read(path).decode(), by=f"bootstrap {path}")
            except (PolicyError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}: {error}") from None
    return ledger


def _tokens(hsm: Hsm) -> list[Token]:
    first = Replica(token=hsm.token, serial=hsm.serial)
    tokens = []
    for replica in (first, *hsm.replicas):
        pin = replica.pin or hsm.pin
        pins = provider(pin.file, pin.env)
        tokens.append(
            open_token(replica.module or hsm.module, replica.token, pins, serial=replica.serial)
        )
    return tokens


def _publisher(config: Config, ledger: Ledger, pool: Pool) -> Publisher:
    audit = config.audit
    verifier = Verifier(audit.origin, pool.public_key(audit.key, audit.version).encoded)
    try:
        return Publisher(ledger, pool.sign, audit.directory, verifier)
    except LogMismatchError as error:
        raise ConfigError(f"{audit.directory}: {error}") from None


def _check_keys(policy: Policy | None, pool: Pool, config: Config) -> None:
    """Refuse to start when the token can't serve a key that the policy or the log names."""
    wanted = {(config.audit.key, config.audit.version): Algorithm.ED25519}
    for key in policy.keys.values() if policy else ():
        wanted[key.name, key.version] = key.algorithm
    missing = [
        f"keys/{name}/versions/{version} ({algorithm})"
        for (name, version), algorithm in sorted(wanted.items())
        if not pool.serves(name, version, algorithm)
    ]
    if missing:
        raise ConfigError(f"token {config.hsm.token!r} can't sign with {', '.join(missing)}")
