"""Whose call waits for a thread: the certificate of its connection, read once for each."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from grpc._cython import cygrpc  # type: ignore[attr-defined] # no stubs; the only way to a peer before its call has a thread

from signer.errors import UnauthenticatedError
from signer.rpc.peer import san_of

CONNECTIONS = 4096


class Lanes:
    """The lanes of the connections that were seen of late."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}

    def __call__(self, args: tuple[Any, ...]) -> str:
        """Return the SAN of the caller whose call the transport submits, else its address.

        ``args`` are those of ``grpc.server`` for its thread pool: a function of its own,
        and the event that began the call.
        """
        call = args[1].call
        peer: bytes = call.peer()
        lane = self._known.get(peer)
        if lane is None:
            if len(self._known) >= CONNECTIONS:
                self._known.clear()  # those that still call are soon known again
            lane = self._known[peer] = _lane(call, peer.decode())
        return lane


def _lane(call: Any, address: str) -> str:
    context = cast("Mapping[bytes, Sequence[bytes]]", cygrpc.auth_context(call) or {})
    pem = context.get(b"x509_pem_cert")
    try:
        return san_of(pem[0]) if pem else address
    except UnauthenticatedError:
        return address
