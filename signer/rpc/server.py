"""A listener: TLS 1.3 (see the package), client certificates, health, reflection."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from signer.errors import ConfigError
from signer.rpc.front import Front, Shed
from signer.rpc.lanes import Lanes
from signer.rpc.peer import Identify
from signer.rpc.rounds import Joint
from signer.rpc.status import answers_stream

KEEPALIVE = (
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


class Server:
    """One listener with its health service; NOT_SERVING until told otherwise."""

    def __init__(
        self,
        threads: int,
        max_message_bytes: int,
        *,
        max_calls: int = 1024,
        shared: bool,
        shed: Shed,
        interceptors: Sequence[grpc.ServerInterceptor] = (),
        joint: Joint | None = None,
    ) -> None:
        """Prepare a listener.

        ``max_calls`` bounds the calls under way and waiting for a thread: more are
        refused at once with RESOURCE_EXHAUSTED; half of them may be one caller's, see
        ``signer.rpc.fair``, and ``shed`` refuses its further ones. Calls of the ``joint``
        method are answered together. ``shared`` lets other
        processes listen on the same address.
        """
        options = [
            # Unless it is meant, a second server on the port must fail and not share it.
            ("grpc.so_reuseport", int(shared)),
            ("grpc.max_receive_message_length", max_message_bytes),
            *KEEPALIVE,
            # Else a connection that is seldom used gets a ping with each call, to measure its
            # bandwidth: a third of the call's sends and receives, for messages this small.
            ("grpc.http2.bdp_probe", 0),
        ]
        self._pool = Front(threads, max_calls // 2, Lanes(), shed, joint)
        self.grpc = grpc.server(
            self._pool,  # type: ignore[arg-type] # it asks for a pool and needs an executor
            interceptors=list(interceptors),
            options=options,
            maximum_concurrent_rpcs=max_calls,
        )
        self._services: list[str] = []
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        self._set("", serving=False)

    def name_service(self, name: str) -> None:
        """Name a service that was added to ``grpc``, for health and reflection."""
        self._services.append(name)
        self._set(name, serving=False)

    def reflect(self, identify: Identify) -> None:
        """Describe the services to callers who pass ``identify``."""
        names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        servicer = _Reflection(names, identify)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, self.grpc)  # type: ignore[no-untyped-call]  # generated code

    def bind(self, address: str, tls: grpc.ServerCredentials) -> str:
        """Bind the port and return its address.

        Raises:
            ConfigError: the address can't be bound.
        """
        try:
            port = self.grpc.add_secure_port(address, tls)
        except RuntimeError:
            port = 0
        if not port:
            raise ConfigError(
                f"{address}: can't listen there: busy, or not an address of this host"
            )
        return f"{address.rpartition(':')[0]}:{port}"

    def start(self) -> None:
        """Take calls and report healthy from now on."""
        self.grpc.start()
        self.report(serving=True)

    def report(self, *, serving: bool) -> None:
        """Report the port and its services as healthy or not; once draining, nothing changes."""
        for name in ("", *self._services):
            self._set(name, serving=serving)

    def drain(self, seconds: float) -> None:
        """Report unhealthy, take no new calls and wait for those accepted."""
        self._health.enter_graceful_shutdown()
        self.grpc.stop(seconds).wait()
        self._pool.shutdown()

    def _set(self, name: str, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        self._health.set(name, status.SERVING if serving else status.NOT_SERVING)


class _Reflection(reflection.ReflectionServicer):
    def __init__(self, names: Sequence[str], identify: Identify) -> None:
        super().__init__(names)
        self._identify = identify

    @answers_stream
    def ServerReflectionInfo(self, request_iterator: Iterable[Any], context: Any) -> Iterator[Any]:
        """Describe the services to an allowed caller."""
        self._identify(context)
        yield from super().ServerReflectionInfo(request_iterator, context)
