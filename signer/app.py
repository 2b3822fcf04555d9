"""The composition root: everything that runs is built here, on what ``signer.core`` opened."""

import gc
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import structlog

from policy.payloads import decode
from signer import allocator, logs, scheduling
from signer.audit.note import Verifier
from signer.audit.publisher import LogMismatchError, Publisher
from signer.canary import Canary
from signer.config import Config, load
from signer.core import Core
from signer.errors import ConfigError, HsmError, RestartNeededError
from signer.hsm import Pool, handover
from signer.keyring import Keyring
from signer.ledger import Ledger
from signer.ledger.canaries import CanaryKey
from signer.metrics.calls import Calls
from signer.metrics.endpoint import Endpoint
from signer.metrics.exchange import ALONE, Exchange, Place, everybody
from signer.metrics.meter import Meter
from signer.metrics.sources import of_log
from signer.policies import Policies
from signer.rpc.approval_service import ApprovalService
from signer.rpc.audit_service import AuditService
from signer.rpc.control_service import ControlService
from signer.rpc.limiter import Limiter
from signer.rpc.peer import Identify, only
from signer.rpc.policy_service import PolicyService
from signer.rpc.refusals import Refusals
from signer.rpc.rounds import Joint
from signer.rpc.server import Server
from signer.rpc.shedding import Shedding
from signer.rpc.signing_service import SIGN_PAYLOAD, SigningService
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

_log = structlog.get_logger(__name__)


class SigningPort:
    """The application zone's port."""

    name = "signing"

    def __init__(self, config: Config, core: Core, *, shared: bool) -> None:
        self._refusals = Refusals(core.ledger.limited)
        threads = config.server.threads
        limiter = Limiter(config.rates, core.ledger.policy, time.monotonic, self._refusals.add)
        self._service = SigningService(
            Signing(core.ledger, core.pool),
            Keyring(core.ledger.policy, core.pool),
            partial(decode, max_bytes=config.server.max_payload_bytes),
            only(config.signing.callers),
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
            shed=Shedding(config.signing.callers, self._refusals.add, core.meter.shed),
            interceptors=[Calls(core.meter)],
            joint=Joint(
                SIGN_PAYLOAD,
                self._service.company,
                self._service.answer_all,
                core.meter.calls(SIGN_PAYLOAD),
            ),
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
        allowed = only(config.control.callers)
        self._ledger = core.ledger
        self._publisher = _publisher(config, core.ledger, core.pool)
        self._service = AuditService(core.ledger, self._publisher.newest, allowed)
        core.meter.watch(of_log(core.ledger, self._publisher))
        self._server = Server(
            CONTROL_THREADS,
            DOCUMENT_BYTES,
            shared=shared,
            shed=Shedding(config.control.callers, self._refusals.add, core.meter.shed),
            interceptors=[Calls(core.meter)],
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
    scheduling.take_turns()
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


def _publisher(config: Config, ledger: Ledger, pool: Pool) -> Publisher:
    audit = config.audit
    verifier = Verifier(audit.origin, pool.public_key(audit.key, audit.version).encoded)
    try:
        return Publisher(ledger, pool.sign, audit.directory, verifier)
    except LogMismatchError as error:
        raise ConfigError(f"{audit.directory}: {error}") from None
