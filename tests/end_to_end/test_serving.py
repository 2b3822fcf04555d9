"""What starts servers for tests and benchmarks: ports that nobody else takes, nothing left over."""

import multiprocessing
import socket
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest

from deploy.dev import ports
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving

PROCESSES, EACH = 4, 50


def claims(number: int) -> list[int]:
    """Claim so many ports."""
    return [ports.claim() for _ in range(number)]


def test_no_two_processes_claim_a_port() -> None:
    """Claims are distinct across processes that claim at once, for as long as they run."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        found = [port for some in pool.map(claims, [EACH] * PROCESSES) for port in some]
    assert len(set(found)) == len(found) == PROCESSES * EACH


def test_the_kernel_gives_no_claimed_port_out() -> None:
    """A claimed port is none that a socket without a port of its own may get."""
    first, last = map(int, ports.EPHEMERAL.read_text(encoding="ascii").split())
    assert not any(first <= port <= last for port in claims(EACH))


def test_a_port_in_use_is_not_claimed() -> None:
    """What somebody listens on is left alone until it is free."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = int(busy.getsockname()[1])
        with pytest.raises(OSError, match="none of 1 ports is free"):
            ports.claim([port])
    assert ports.claim([port]) == port
    with pytest.raises(OSError, match="none of 1 ports is free"):
        ports.claim([port])


def test_a_server_that_did_not_start_leaves_nothing(here: Environment, tmp_path: Path) -> None:
    """The reason is in the error; the process is reaped and its pipe closed."""
    broken = here.copy(tmp_path / "broken")
    broken.fix_ports()
    address = broken.config.read_text(encoding="utf-8").partition('listen = "')[2].split('"')[0]
    host, _, port = address.partition(":")
    this = psutil.Process()
    with socket.create_server((host, int(port))):
        before = this.num_fds(), this.children()
        with pytest.raises(RuntimeError, match=f"{address}: can't listen there"):
            Serving(broken)
        assert (this.num_fds(), this.children()) == before
