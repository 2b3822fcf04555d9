"""Whose call waits: read from the connection's certificate, over real TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from deploy.dev.ca import SERVER_NAMES, Authority, uri
from signer.rpc.front import Front
from signer.rpc.lanes import CONNECTIONS, Lanes

SANS = ("spiffe://firm.example/a", "spiffe://firm.example/b")


class Echo(grpc.GenericRpcHandler):
    """Answers every method with what was sent."""

    def service(self, handler_call_details: Any) -> Any:
        """Return the one handler."""
        return grpc.unary_unary_rpc_method_handler(lambda request, _context: request)


@contextmanager
def served(lanes: list[str], known: Lanes) -> Iterator[tuple[str, Authority]]:
    """Run a server that notes the lane of each call."""

    def lane_of(args: tuple[Any, ...]) -> str:
        lanes.append(known(args))
        return lanes[-1]

    authority = Authority()
    identity = authority.issue(SERVER_NAMES)
    pool = Front(2, 8, lane_of, lambda _lane, _args: False)
    server = grpc.server(pool, handlers=[Echo()])  # type: ignore[arg-type] # as in the service
    pair = [(identity.private_key, identity.certificate)]
    credentials = grpc.ssl_server_credentials(pair, authority.certificate, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"localhost:{port}", authority
    finally:
        server.stop(None).wait()
        pool.shutdown()


def call(address: str, authority: Authority, names: list[Any], times: int) -> None:
    """Call over one connection, with a certificate of these names."""
    identity = authority.issue(names)
    credentials = grpc.ssl_channel_credentials(
        authority.certificate, identity.private_key, identity.certificate
    )
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(address, credentials, options) as channel:
        for _ in range(times):
            echo: Any = channel.unary_unary("/any/method")  # of bytes, without a message
            assert echo(b"x", timeout=30) == b"x"


def test_a_lane_is_the_callers_certificate() -> None:
    """Each call has its caller's lane, whichever connection it comes on, the first one too."""
    lanes: list[str] = []
    with served(lanes, Lanes()) as (address, authority):
        for san in (*SANS, SANS[0]):
            call(address, authority, [uri(san)], 2)
    assert lanes == [SANS[0], SANS[0], SANS[1], SANS[1], SANS[0], SANS[0]]


def test_without_a_usable_name_a_lane_is_the_connection() -> None:
    """Who cannot be told by name cannot crowd out those who can."""
    lanes: list[str] = []
    with served(lanes, Lanes()) as (address, authority):
        call(address, authority, [uri(SANS[0]), uri(SANS[1])], 1)
    assert lanes[0].startswith(("ipv4:", "ipv6:"))


def test_connections_that_are_gone_are_forgotten() -> None:
    """What is known of connections is bounded."""
    known = Lanes()
    known._known.update({b"%d" % number: "x" for number in range(CONNECTIONS)})
    with served([], known) as (address, authority):
        call(address, authority, [uri(SANS[0])], 1)
    assert list(known._known.values()) == [SANS[0]]


def test_what_is_no_call_is_an_error() -> None:
    """Another shape of the transport's submissions is noticed, and costs no call: see the pool."""
    with pytest.raises((AttributeError, IndexError)):
        Lanes()((None,))
