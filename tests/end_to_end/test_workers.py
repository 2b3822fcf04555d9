"""Several processes that are one signer: shared port, restarts, rolling replacement."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from contextlib import chdir, suppress
from pathlib import Path

import pytest

from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.allocator import LISTS
from signer.supervisor import Process
from tests.end_to_end.conftest import Client, sign_request
from tests.end_to_end.test_kills import Load, check, killed

__all__ = ["killed"]  # the fixture: an installation with a wide window


def pids(server: Serving) -> dict[str, int]:
    """Return the process ids of the supervisor's children by their core and role."""
    parent = server.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    found = {}
    for pid in map(int, children):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
            found[f"{command} {sorted(os.sched_getaffinity(pid))}"] = pid
    return found


def running(pid: int) -> bool:
    """Whether a process has not ended yet; one that nobody has reaped has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def workers(killed: Environment, tmp_path: Path) -> Environment:
    """A copy of the installation with fixed ports."""
    here = killed.copy(tmp_path / "workers")
    here.fix_ports()
    return here


def test_a_worker_that_dies_is_replaced(workers: Environment) -> None:
    """The other worker goes on, the dead one comes back, and nothing released is missing."""
    with Serving(workers, "--workers=2") as server:
        wait_for(lambda: len(pids(server)) == 3)
        client = Client(workers.directory, "payments", server.signing)
        load = Load(client, seed=3)
        load.start()
        before = pids(server)
        victim = next(pid for command, pid in before.items() if "--role=signing" in command)
        os.kill(victim, signal.SIGKILL)
        load.stop()
        released = load.released
        released += [(item, client.sign_in_the_end(item)) for item in load.unanswered]
        wait_for(lambda: len(pids(server)) == 3 and victim not in pids(server).values())
        released.append((request := sign_request(), client.sign_in_the_end(request)))
        client.channel.close()
    check(released, workers.directory / "ledger.db")


def test_no_process_takes_code_from_where_it_was_started(
    workers: Environment, tmp_path: Path
) -> None:
    """Whoever may write in the working directory must not be able to run code in the signer."""
    (tmp_path / "grpc.py").write_text("raise SystemExit('not the real one')", encoding="utf-8")
    with chdir(tmp_path), Serving(workers, "--workers=2") as server:
        wait_for(lambda: len(pids(server)) == 3)


@pytest.mark.parametrize("given", [None, "glibc.malloc.tcache_count=8"])
def test_processes_keep_more_of_what_they_free(
    workers: Environment, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which they must be told when they are started; what the operator says of it holds."""
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if given is not None:
        monkeypatch.setenv("GLIBC_TUNABLES", given)
    expected = f"GLIBC_TUNABLES={given or LISTS}".encode()

    def told(pid: int) -> bool:
        return expected in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")

    with Serving(workers, "--workers=2") as server:
        wait_for(lambda: [told(pid) for pid in pids(server).values()] == [True] * 3)


def test_a_reload_replaces_every_process(workers: Environment) -> None:
    """After SIGHUP all processes are new, and callers were served throughout."""
    with Serving(workers, "--workers=2") as server:
        wait_for(lambda: len(pids(server)) == 3)
        before = set(pids(server).values())
        client = Client(workers.directory, "payments", server.signing)
        server.process.send_signal(signal.SIGHUP)
        released = []
        while before & set(pids(server).values()) or len(pids(server)) < 3:
            released.append((request := sign_request(), client.sign_in_the_end(request)))
        client.channel.close()
        assert released
    check(released, workers.directory / "ledger.db")


def test_a_stopped_supervisor_leaves_nothing_running(workers: Environment) -> None:
    """SIGTERM drains all processes; so does the kernel when the supervisor is killed."""
    server = Serving(workers, "--workers=2")
    children = pids(server)
    assert server.stop() == 0
    wait_for(lambda: not any(map(running, children.values())))
    server = Serving(workers, "--workers=2")
    children = pids(server)
    server.process.kill()
    wait_for(lambda: not any(map(running, children.values())))
    server.kill()


def test_a_wrong_pin_is_one_line_with_workers_too(workers: Environment) -> None:
    """The first process says what is wrong, and no other is tried."""
    (workers.directory / "pin").write_text("000000", encoding="utf-8")
    ended = workers.signgate("serve", "--config", str(workers.config), "--workers=2", check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "the PIN is wrong" in ended.stderr


def test_pauses_grow() -> None:
    """The more often a process fails the longer it is left alone, up to half a minute."""
    process = Process("signing-0", ())
    pauses = []
    for process.failures in range(10):
        pauses.append(process.pause)
    assert pauses[:2] == [0, 0.5]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pauses[-2] == 30


def test_a_start_that_hangs_is_ended(workers: Environment) -> None:
    """A process that is not ready in time is killed, and the log says what would wait longer."""
    with workers.config.open("a", encoding="utf-8") as file:
        file.write("\n[server]\nstart_seconds = 1\n")
    (workers.directory / "pin").unlink()
    os.mkfifo(workers.directory / "pin", 0o600)  # reading it waits for ever
    ended = workers.signgate("serve", "--config", str(workers.config), "--workers=2", check=False)
    assert ended.returncode == 1
    assert "killed, since it did not start" in ended.stderr
    assert "[server] start_seconds allows more" in ended.stderr


def test_a_busy_port_is_found_before_anything_starts(workers: Environment) -> None:
    """Somebody else's listener is not joined, nor is a port without a number shared."""
    text = workers.config.read_text(encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        for port, expected in ((busy.getsockname()[1], "can't listen"), (0, "fixed port")):
            changed = re.sub(r"127.0.0.1:\d+", f"127.0.0.1:{port}", text, count=1)
            workers.config.write_text(changed, encoding="utf-8")
            ended = workers.signgate(
                "serve", "--config", str(workers.config), "--workers=2", check=False
            )
            assert ended.returncode == 1
            assert expected in ended.stderr
