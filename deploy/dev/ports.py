"""Ports that a server can be told beforehand, and that nobody takes until it binds them.

A port that was free a moment ago may be another's by the time a server binds it. So
these lie outside the range that the kernel gives out, and each belongs to one process.
"""

from __future__ import annotations

import random
import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

LOWEST: Final = 10_000
EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")

_claims: list[socket.socket] = []


def claim(among: Sequence[int] = ()) -> int:
    """Return a port of this host that is this process's until it ends.

    Args:
        among: ports to choose from; those of ``unassigned`` if there are none.

    Raises:
        OSError: there is none.
    """
    ports = among or unassigned()
    for port in random.sample(ports, len(ports)):
        if _is_free(port) and _is_claimed(port):
            return port
    raise OSError(f"none of {len(ports)} ports is free")


def unassigned() -> Sequence[int]:
    """Return the ports that the kernel gives to nobody who asks for no certain one."""
    first, last = map(int, EPHEMERAL.read_text(encoding="ascii").split())
    return [port for port in range(LOWEST, 2**16) if not first <= port <= last]


def _is_claimed(port: int) -> bool:
    """Try to claim a port: a name in the abstract namespace (unix(7)) ends with its process."""
    claimed = socket.socket(socket.AF_UNIX)
    try:
        claimed.bind(f"\0signgate.dev.port.{port}")
    except OSError:
        claimed.close()
        return False
    _claims.append(claimed)
    return True


def _is_free(port: int) -> bool:
    try:
        with closing(socket.create_server(("127.0.0.1", port))):
            return True
    except OSError:
        return False
