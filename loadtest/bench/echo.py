"""A bare grpcio server: the same TLS, the same message sizes, and nothing behind it.

``/echo/SIZE`` answers SIZE bytes to each message, as a unary call; ``/echoes/SIZE``
does so in a stream.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import grpc

THREADS = 16
FILES = ("server.key", "server.crt", "ca.crt")


def serve(certificates: Path, cpu: int | None) -> Callable[[], str]:
    """Serve until the process ends; returns what tells the address."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    server = grpc.server(ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers((_Echo(),))
    private_key, chain, ca = ((certificates / name).read_bytes() for name in FILES)
    credentials = grpc.ssl_server_credentials([(private_key, chain)], ca, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()

    def address(running: grpc.Server = server) -> str:  # which ends when nobody has it
        del running
        return f"127.0.0.1:{port}"

    return address


class _Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> Any:
        return _handler(details.method)


@lru_cache(maxsize=64)
def _handler(method: str) -> Any:
    _, name, size = method.split("/")
    body = b"\1" * int(size)

    def answer(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        return body

    def answers(requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        for _ in requests:
            yield body

    if name == "echo":
        return grpc.unary_unary_rpc_method_handler(answer)
    return grpc.stream_stream_rpc_method_handler(answers)
