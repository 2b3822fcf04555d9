"""How the processes of one signer hand each other their snapshots."""

import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import MsgspecError

from signer.metrics.families import PROCESS_UP
from signer.metrics.samples import Number, Sample, decode, encode

Snapshot = Callable[[], tuple[Sample, ...]]
PEER_SECONDS: Final = 1.0  # how long another process may take to answer


class Place(NamedTuple):
    """A process among those of one signer.

    ``directory`` is private to them; each has a socket there, named after it. None:
    there are no others.
    """

    name: str = "signer"
    directory: Path | None = None

    def socket_of(self, name: str) -> str:
        """Return the path of a process's socket."""
        return f"{self.directory}/{name}.sock"


ALONE: Final = Place()


class Exchange:
    """Hands this process's snapshot to the one that serves them all."""

    def __init__(self, place: Place, snapshot: Snapshot) -> None:
        path = place.socket_of(place.name)
        Path(path).unlink(missing_ok=True)  # of a process that died

        class Handler(socketserver.StreamRequestHandler):
            timeout = PEER_SECONDS

            def handle(self) -> None:
                self.wfile.write(encode(snapshot()))

        self._server = socketserver.UnixStreamServer(path, Handler)

    def start(self) -> None:
        """Answer from now on."""
        in_thread(self._server)

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def in_thread(server: socketserver.BaseServer) -> None:
    """Serve in a thread until ``shutdown``."""
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def everybody(place: Place, snapshot: Snapshot) -> dict[str, tuple[Sample, ...]]:
    """Return this process's samples and those of the others; who is silent is just not up."""
    found = {place.name: snapshot()}
    if place.directory is not None:
        for path in sorted(place.directory.glob("*.sock")):
            found[path.stem] = _ask(place.socket_of(path.stem))
    return found


def _ask(path: str) -> tuple[Sample, ...]:
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(PEER_SECONDS)
            peer.connect(path)
            while part := peer.recv(1 << 16):
                received += part
        return decode(received)
    except (OSError, MsgspecError):
        return (Number(PROCESS_UP.name, (), 0.0),)
