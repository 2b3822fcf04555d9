"""The composition root: everything that runs is built here, and only here."""

import signal
import threading
from functools import partial
from pathlib import Path

import grpc
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
from signer.config import Config, load, read
from signer.errors import ConfigError
from signer.hsm import Pool, Token, open_token
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
MESSAGE_BYTES = 16 * 1024 * 1024
DAY_MS = 24 * 3_600_000

_log = structlog.get_logger(__name__)


class Service:
    """A whole signer in one process; nothing is reachable before ``start``."""

    def __init__(self, config: Config) -> None:
        """Open everything that the configuration names.

        Raises:
            SigngateError: something can't be had; one line says what.
        """
        self._config = config
        tls = credentials(config.tls)
        mint = Mint()
        self._ledger = _ledger(config, mint)
        self._token = _token(config)
        self._pool = Pool(self._token, sessions=config.hsm.sessions, redeem=mint.redeem)
        _check_keys(self._ledger.policy(), self._pool, config)
        self._publisher = _publisher(config, self._ledger, self._pool)
        self._signing_service = self._make_signing_service()
        self._audit_service = AuditService(
            self._ledger, self._publisher.newest, only(config.control.callers)
        )
        self._signing_port = self._make_signing_port()
        self._control_port = self._make_control_port()
        self.signing = _bound(self._signing_port, config.signing.listen, tls)
        self.control = _bound(self._control_port, config.control.listen, tls)

    def _make_signing_service(self) -> SigningService:
        config = self._config
        return SigningService(
            Signing(self._ledger, self._pool),
            Keyring(self._ledger.policy, self._pool),
            partial(decode, max_bytes=config.server.max_payload_bytes),
            only(config.signing.callers),
            config.server.request_seconds,
        )

    def _make_signing_port(self) -> Server:
        server = Server(self._config.server.threads, MESSAGE_BYTES)
        signing_service_pb2_grpc.add_SigningServiceServicer_to_server(
            self._signing_service, server.grpc
        )
        server.name_service("signer.v1.SigningService")
        return server

    def _make_control_port(self) -> Server:
        server = Server(CONTROL_THREADS, MESSAGE_BYTES)
        audit_service_pb2_grpc.add_AuditServiceServicer_to_server(self._audit_service, server.grpc)
        server.name_service("signer.v1.AuditService")
        server.reflect(only(self._config.control.callers))
        return server

    def start(self) -> None:
        """Take calls on both ports."""
        self._publisher.start()
        for port in (self._control_port, self._signing_port):
            port.grpc.start()
            port.set_serving()

    def stop(self) -> None:
        """Answer what was accepted, publish the log to its end, close everything."""
        seconds = self._config.server.drain_seconds
        self._signing_service.drain()
        self._signing_port.drain(seconds)
        self._audit_service.drain()
        self._ledger.interrupt()
        self._control_port.drain(seconds)
        self._ledger.flush()
        self._publisher.close()
        self._ledger.close()
        self._pool.close()
        self._token.close()


def run(path: Path) -> None:
    """Serve with a configuration file until SIGTERM or SIGINT, then drain.

    Raises:
        SigngateError: the service can't start; one line says why.
    """
    config = load(path)
    logs.configure(config.log.level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    service = Service(config)
    service.start()
    _log.info("serving", signing=service.signing, control=service.control)
    stopping.wait()
    _log.info("draining")
    service.stop()
    _log.info("stopped")


def _ledger(config: Config, mint: Mint) -> Ledger:
    settings = Settings(
        origin=config.audit.origin,
        audit_key=config.audit.key,
        audit_version=config.audit.version,
        lease_ms=config.ledger.lease_seconds * 1000,
        retention_ms=config.ledger.retention_days * DAY_MS,
    )
    ledger = Ledger(config.ledger.path, mint, partial(document.load, formats=FORMATS), settings)
    bootstrap = config.policy.bootstrap
    if bootstrap is not None:
        try:
            ledger.bootstrap_policy(read(bootstrap).decode(), by=f"bootstrap {bootstrap}")
        except (PolicyError, UnicodeDecodeError) as error:
            raise ConfigError(f"{bootstrap}: {error}") from None
    return ledger


def _token(config: Config) -> Token:
    hsm = config.hsm
    return open_token(hsm.module, hsm.token, provider(hsm.pin.file, hsm.pin.env))


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


def _bound(server: Server, address: str, tls: grpc.ServerCredentials) -> str:
    host, _, _ = address.rpartition(":")
    return f"{host}:{server.bind(address, tls)}"
