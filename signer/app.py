"""The composition root: everything that runs is built here, and only here."""

import gc
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import structlog

from policy import document
from policy.algorithms import Algorithm
from policy.payloads import FORMATS, decode
from policy.problems import PolicyError
from policy.rules import Policy
from signer import allocator, logs
from signer.approval import Mint
from signer.audit.note import Verifier
from signer.audit.publisher import LogMismatchError, Publisher
from signer.canary import Canary
from signer.config import Config, Hsm, Replica, load, read
from signer.errors import ConfigError, HsmError, RestartNeededError
from signer.hsm import Limits, Pool, SessionRange, Token, handover, open_token
from signer.keyring import Keyring
from signer.ledger import Ledger, Settings
from signer.ledger.canaries import CanaryKey
from signer.metrics.calls import Calls
from signer.metrics.endpoint import Endpoint
from signer.metrics.exchange import ALONE, Exchange, Place, everybody
from signer.metrics.meter import Meter
from signer.metrics.sources import of_ledger, of_log, of_pool, of_process
from signer.pin import provider
from signer.policies import Policies, unserved
from signer.rpc.approval_service import ApprovalService
from signer.rpc.audit_service import AuditService
from signer.rpc.control_service import ControlService
from signer.rpc.limiter import Limiter
from signer.rpc.peer import Identify, only
from signer.rpc.policy_service import PolicyService
from signer.rpc.refusals import Refusals, refusing_shed
from signer.rpc.server import Server
from signer.rpc.signing_service import SigningService
from signer.rpc.streams import Streams
from signer.rpc.tls import credentials
from signer.signing import Signing
from signer.stopping import Monitor, Report, Stop
from signer.v1 import (
    approval_service_pb2_grpc,
    audit_service_pb2_grpc,
    control_service_pb2_grpc,
    policy_service_pb2_grpc,
    signing_service_pb2_grpc,
)

CONTROL_THREADS = 16
ROLES = ("control", "signing")
MESSAGE_BYTES = 16 * 1024 * 1024
DOCUMENT_BYTES = 64 * 1024 * 1024  # a policy of 10,000 keys fits
DAY_MS = 24 * 3_600_000

_log = structlog.get_logger(__name__)


class Core:
    """What every port needs: the ledger, the token, the pool over it, and who counts."""

    def __init__(self, config: Config, *, signing: bool) -> None:
        """Open all; without ``signing`` the pool is for checkpoints only: one session a token."""
        mint = Mint()
        self.meter = Meter()
        self.ledger = _ledger(config, mint, self.meter)
        hsm = config.hsm
        self.tokens = _tokens(hsm)
        limits = Limits(
            queue=hsm.queue,
            stuck_seconds=hsm.stuck_seconds,
            keepalive_seconds=hsm.keepalive_seconds,
            bulk_keys=hsm.bulk_keys,
        )
        self.pool = Pool(
            *self.tokens,
            sessions=_sessions(hsm) if signing else 1,
            redeem=mint.redeem,
            limits=limits,
            observer=self.meter,
        )
        self.meter.know(name.key for name in self.pool.key_versions())
        for source in (of_pool(self.pool), of_ledger(self.ledger), of_process()):
            self.meter.watch(source)
        _check_keys(self.ledger.policy(), self.pool, config)

    def lost(self) -> str | None:
        """Tell why only a new process can help; None while this one can go on."""
        if self.ledger.failure is not None:
            return f"the ledger has stopped: {self.ledger.failure}"
        if self.pool.must_restart:
            slots = self.pool.status()
            errors = ", ".join(f"{slot.label!r}: {slot.last_error or slot.state}" for slot in slots)
            return f"calls of the HSM hang, or its module is lost ({errors})"
        return None

    def close(self) -> None:
        """Close everything, the ledger first: it makes durable what is queued."""
        self.ledger.close()
        ended = self.pool.close()
        for token in self.tokens:
            if ended:
                token.close()
            else:
                token.abandon()


class SigningPort:
    """The application zone's port."""

    name = "signing"

    def __init__(self, config: Config, core: Core, *, shared: bool) -> None:
        self._refusals = Refusals(core.ledger.limited)
        allowed = refusing_shed(only(config.signing.callers), self._refusals.add)
        threads = config.server.threads
        limiter = Limiter(config.rates, core.ledger.policy, time.monotonic, self._refusals.add)
        self._service = SigningService(
            Signing(core.ledger, core.pool),
            Keyring(core.ledger.policy, core.pool),
            partial(decode, max_bytes=config.server.max_payload_bytes),
            allowed,
            config.server.request_seconds,
            limiter.admit,
            Streams(each=max(1, threads // 4), together=max(1, threads // 2)),
            core.meter.finished,
        )
        self._server = Server(
            threads,
            MESSAGE_BYTES,
            max_calls=config.server.max_calls,
            shared=shared,
            interceptors=[Calls(core.meter)],
        )
        signing_service_pb2_grpc.add_SigningServiceServicer_to_server(
            self._service, self._server.grpc
        )
        self._server.name_service("signer.v1.SigningService")
        self.address = self._server.bind(config.signing.listen, credentials(config.tls))
        self.health = Report(
            lambda: core.pool.is_ready and not core.ledger.failed,
            lambda serving: self._server.report(serving=serving),
        )

    def start(self) -> None:
        """Take calls."""
        self._server.start()

    def stop(self, seconds: float) -> None:
        """Take no more calls and answer those that were accepted."""
        self._service.drain()
        self._server.drain(seconds)
        self._refusals.close()


class ControlPort:
    """The security zone's port, and the publication of the audit log."""

    name = "control"

    def __init__(self, config: Config, core: Core, *, shared: bool) -> None:
        self._refusals = Refusals(core.ledger.limited)
        allowed = refusing_shed(only(config.control.callers), self._refusals.add)
        self._ledger = core.ledger
        self._publisher = _publisher(config, core.ledger, core.pool)
        self._service = AuditService(core.ledger, self._publisher.newest, allowed)
        core.meter.watch(of_log(core.ledger, self._publisher))
        self._server = Server(
            CONTROL_THREADS, DOCUMENT_BYTES, shared=shared, interceptors=[Calls(core.meter)]
        )
        self._add_services(core, allowed)
        self._server.reflect(allowed)
        self.address = self._server.bind(config.control.listen, credentials(config.tls))
        # Officers must be able to act while no token is there.
        self.health = Report(
            lambda: not core.ledger.failed, lambda serving: self._server.report(serving=serving)
        )

    def _add_services(self, core: Core, allowed: Identify) -> None:
        duty, server = core.ledger.duty, self._server.grpc
        policies = PolicyService(Policies(core.ledger.lifecycle, core.pool.serves), allowed)
        control = ControlService(duty, core.ledger.policy, allowed)
        audit_service_pb2_grpc.add_AuditServiceServicer_to_server(self._service, server)
        policy_service_pb2_grpc.add_PolicyServiceServicer_to_server(policies, server)
        control_service_pb2_grpc.add_ControlServiceServicer_to_server(control, server)
        approval_service_pb2_grpc.add_ApprovalServiceServicer_to_server(
            ApprovalService(duty, allowed), server
        )
        for name in ("Audit", "Policy", "Control", "Approval"):
            self._server.name_service(f"signer.v1.{name}Service")

    def start(self) -> None:
        """Take calls and publish."""
        self._publisher.start()
        self._server.start()

    def stop(self, seconds: float) -> None:
        """Take no more calls, end the streams, publish the log to its end."""
        self._service.drain()
        self._ledger.interrupt()
        self._server.drain(seconds)
        self._refusals.close()
        self._ledger.flush()
        self._publisher.close()


# In the order of their start; they stop in the opposite order.
PORTS: tuple[type[ControlPort | SigningPort], ...] = (ControlPort, SigningPort)


class Service:
    """Ports in one process; nothing is reachable before ``start``."""

    def __init__(
        self,
        config: Config,
        roles: Collection[str] = ROLES,
        *,
        shared: bool,
        place: Place = ALONE,
        give_up: Callable[[str], None],
    ) -> None:
        """Open everything that the configuration names.

        ``roles`` names the ports; ``shared`` lets other processes listen there, too.
        ``place`` is this process's among those of one signer.
        ``give_up`` is told when only a new process can help, and why.

        Raises:
            SigngateError: something can't be had; one line says what.
        """
        self._drain_seconds = config.server.drain_seconds
        credentials(config.tls)  # what can be wrong there is cheaper to find than a token
        self._core = Core(config, signing=SigningPort.name in roles)
        self._ports = [
            port(config, self._core, shared=shared) for port in PORTS if port.name in roles
        ]
        reports = [port.health for port in self._ports]
        self._monitor = Monitor(reports, self._core.lost, give_up)
        self._canary = _canary(config, self._core) if SigningPort.name in roles else None
        self._metrics = _metrics(config, self._core.meter, roles, place)

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of the ports by their names."""
        addresses = {port.name: port.address for port in self._ports}
        if isinstance(self._metrics, Endpoint):
            addresses["metrics"] = self._metrics.address
        return addresses

    def start(self) -> None:
        """Take calls on all ports."""
        for port in self._ports:
            port.start()
        self._monitor.start()
        if self._canary:
            self._canary.start()
        if self._metrics:
            self._metrics.start()

    def stop(self, *, lost: bool = False) -> None:
        """Answer what was accepted, publish the log to its end, close everything.

        When it is ``lost``, what waits for the token is refused at once: another
        process will do better.
        """
        self._monitor.close()
        if lost:
            self._core.pool.close()
        if self._canary:
            self._canary.close()
        for port in reversed(self._ports):
            port.stop(self._drain_seconds)
        if self._metrics:
            self._metrics.close()
        self._core.close()


def run(
    path: Path,
    roles: Collection[str] = ROLES,
    *,
    shared: bool = False,
    place: Place = ALONE,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve with a configuration file until SIGTERM or SIGINT, then drain.

    ``ready`` is called once everything takes calls.

    Raises:
        RestartNeededError: it drained because only a new process can help.
        SigngateError: the service can't start; one line says why.
    """
    config = load(path)
    logs.configure(config.log.level)
    allocator.keep_freed()
    stop = Stop()
    stop.on_signals()
    service = Service(config, roles, shared=shared, place=place, give_up=stop.give_up)
    service.start()
    # What lives as long as the process is no garbage: no collection need look at it again
    # while requests wait.
    gc.collect()
    gc.freeze()
    _log.info("serving", **service.addresses, hand_over=handover.chosen())
    ready()
    stop.wait()
    _log.info("draining", lost=stop.lost)
    service.stop(lost=stop.lost is not None)
    _log.info("stopped")
    if stop.lost is not None:
        raise RestartNeededError(f"{stop.lost}; drained, start it again")


def _canary(config: Config, core: Core) -> Canary | None:
    key, version = config.canary.key, config.canary.version
    if key is None:
        return None
    try:
        algorithm = min(core.pool.public_key(key, version).algorithms)
    except HsmError as error:
        raise ConfigError(f"canary.key: {error}") from None
    return Canary(
        core.ledger.canaries,
        core.pool,
        CanaryKey(key, version, algorithm),
        config.canary.interval_seconds,
        core.meter,
    )


def _metrics(
    config: Config, meter: Meter, roles: Collection[str], place: Place
) -> Endpoint | Exchange | None:
    """Serve the metrics of all processes beside the control port, or hand over this one's."""
    listen = config.metrics.listen
    if listen is None:
        return None
    if ControlPort.name in roles:
        return Endpoint(listen, partial(everybody, place, meter.snapshot))
    return Exchange(place, meter.snapshot) if place.directory else None


def _ledger(config: Config, mint: Mint, meter: Meter) -> Ledger:
    settings = Settings(
        origin=config.audit.origin,
        audit_key=config.audit.key,
        audit_version=config.audit.version,
        lease_ms=config.ledger.lease_seconds * 1000,
        retention_ms=config.ledger.retention_days * DAY_MS,
    )
    ledger = Ledger(
        config.ledger.path, mint, partial(document.load, formats=FORMATS), settings, observer=meter
    )
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


def _sessions(hsm: Hsm) -> int | SessionRange:
    if isinstance(hsm.sessions, int):
        return hsm.sessions
    return SessionRange(hsm.sessions.min, hsm.sessions.max)


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
    audit = config.audit
    missing = unserved(policy, pool.serves) if policy else []
    if not pool.serves(audit.key, audit.version, Algorithm.ED25519):
        missing.append(f"keys/{audit.key}/versions/{audit.version} ({Algorithm.ED25519})")
    if missing:
        raise ConfigError(f"token {config.hsm.token!r} can't sign with {', '.join(missing)}")
