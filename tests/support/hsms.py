"""The tokens that the pool is tested on, each in the state in which an operator gets it.

SoftHSM alone; SoftHSM behind caml-crush, which is an HSM in the network; two of them
behind p11-kit, which are two HSMs in one process; NSS; and opencryptoki. Nothing of the
machine is changed: what these programs want under fixed paths is mounted over, in a
mount namespace of their own. That takes root, as opencryptoki's daemon does.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.support.pools import Hsm, pool_process
from tests.support.softhsm import MODULE, PIN, SO_PIN, SoftHsm, make_softhsm

LIBRARIES: Final = Path("/usr/lib/x86_64-linux-gnu")
CRUSH_CLIENT: Final = LIBRARIES / "caml-crush" / "libp11clienttcp.so"
KIT_PROXY: Final = LIBRARIES / "p11-kit-proxy.so"
NSS: Final = LIBRARIES / "libsoftokn3.so"
OPENCRYPTOKI: Final = LIBRARIES / "pkcs11" / "libopencryptoki.so"
HSM_PORT: Final = 2223
needs_root: Final = pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
_NAMESPACE: Final = ("unshare", "--mount", "--propagation", "private")
_READY_SECONDS: Final = 10


class Daemon:
    """A program that can be frozen, thawed, killed and started again, with its children."""

    def __init__(self, command: Sequence[str | Path], environment: dict[str, str]) -> None:
        self._command = command
        self._environment = os.environ | environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is not yet ready."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def freeze(self) -> None:
        """Stop it where it is."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def softhsm(directory: Path) -> Hsm:
    """Make SoftHSM's token."""
    store = make_softhsm(directory, "soft")
    return Hsm(((store.module, store.token, None),), store.pin_file, store.environment)


class CamlCrush:
    """SoftHSM behind caml-crush over TCP, at an address of the process's own."""

    CONFIGURATION: Final = """
netplex {{
  controller {{
    max_level = "warning";
    socket_directory = "{directory}/netplex";
    logging {{ type = "stderr"; }};
  }};
  service {{
    name = "PKCS#11 Filtering Proxy";
    protocol {{
      name = "rpc_pkcs11";
      address {{ type = "internet"; bind = "{address}"; }};
    }};
    processor {{
      type = "rpc_pkcs11";
      filter_config = "{directory}/filter.conf";
      use_ssl = false;
    }};
    workload_manager {{
      type = "dynamic";
      max_jobs_per_thread = 1;
      min_free_jobs_capacity = 1;
      max_free_jobs_capacity = 1;
      max_threads = 100;
    }};
  }};
}}
"""

    def __init__(self, directory: Path, store: SoftHsm | None = None) -> None:
        store = store or make_softhsm(directory / "store", "crush")
        high, low = divmod(os.getpid(), 254)
        self._host = f"127.{1 + high // 254 % 254}.{high % 254}.{1 + low}"
        address = f"{self._host}:{HSM_PORT}"
        (directory / "netplex").mkdir()
        (directory / "filter.conf").write_text(f'debug = 0\nmodules = [("softhsm","{MODULE}")]\n')
        configuration = directory / "proxy.conf"
        configuration.write_text(self.CONFIGURATION.format(directory=directory, address=address))
        self.daemon = Daemon(["pkcs11proxyd", "-fg", "-conf", configuration], store.environment)
        self.hsm = Hsm(
            ((CRUSH_CLIENT, store.token, None),),
            store.pin_file,
            {
                "PKCS11PROXY_SOCKET_PATH": address,
                "PKCS11PROXY_LIBNAME": "softhsm",
                "PKCS11PROXY_RPC_TIMEOUT": "3",
            },
        )

    def start(self) -> None:
        """Start the server and wait until it listens."""
        self.daemon.start()
        _wait_for(self._listens)

    def _listens(self) -> bool:
        # Not by connecting, for which the server would fork.
        host = "".join(f"{int(part):02X}" for part in reversed(self._host.split(".")))
        return f"{host}:{HSM_PORT:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


class TwoByKit:
    """Two tokens with the same keys, ``hsm-a`` and ``hsm-b``, each behind a p11-kit server."""

    LABELS: Final = ("hsm-a", "hsm-b")

    def __init__(self, directory: Path, keys: Sequence[str]) -> None:
        first = make_softhsm(directory / "a", self.LABELS[0])
        made = Hsm(((first.module, first.token, None),), first.pin_file, first.environment)
        with pool_process(made, keys):
            pass
        self.stores = [first, _replica(first, directory / "b", self.LABELS[1])]
        self._sockets = [directory / f"{label}.sock" for label in self.LABELS]
        self.daemons = [
            Daemon(
                [*("p11-kit", "server", "-f", "--provider", MODULE, "-n"), socket, "pkcs11:"],
                store.environment,
            )
            for socket, store in zip(self._sockets, self.stores, strict=True)
        ]
        modules = directory / "modules"
        modules.mkdir()
        for socket in self._sockets:
            (modules / f"{socket.stem}.module").write_text(f"remote: unix:path={socket}\n")
        self.hsm = Hsm(
            tuple((KIT_PROXY, label, None) for label in self.LABELS),
            first.pin_file,
            prefix=_with_modules(modules),
        )

    def start(self, number: int) -> None:
        """Start one of the servers, and wait until it listens."""
        self._sockets[number].unlink(missing_ok=True)
        self.daemons[number].start()
        _wait_for(self._sockets[number].exists)


def nss(directory: Path) -> Hsm:
    """Make NSS's software token; it wants arguments to initialise, which p11-kit passes on."""
    database, modules = directory / "nss", directory / "modules"
    database.mkdir()
    modules.mkdir()
    pin_file = _pin_file(directory)
    _run("certutil", "-N", "-d", f"sql:{database}", "-f", str(pin_file))
    arguments = f"configdir='sql:{database}' certPrefix='' keyPrefix='' secmod='secmod.db' flags="
    (modules / "nss.module").write_text(f"module: {NSS}\nx-init-reserved: {arguments}\n")
    label = "NSS Certificate DB"
    return Hsm(((KIT_PROXY, label, None),), pin_file, prefix=_with_modules(modules))


def opencryptoki(directory: Path) -> Hsm:
    """Make opencryptoki's software token; its daemon lives as long as the pool's process."""
    script = Path(__file__).parent / "opencryptoki.sh"
    label = "hsm-ock"
    return Hsm(
        ((OPENCRYPTOKI, label, None),),
        _pin_file(directory),
        prefix=(
            *(*_NAMESPACE, "--ipc", "--pid", "--fork", "--kill-child", "bash"),
            *(str(script), str(directory), label, PIN, SO_PIN[:8]),
        ),
    )


def _replica(store: SoftHsm, directory: Path, label: str) -> SoftHsm:
    """Copy a token with its keys, as HSMs replicate; only the label, as long as before, differs."""
    tokens = directory / "tokens"
    shutil.copytree(store.conf.parent / "tokens", tokens)
    for file in tokens.glob("*/token.object"):
        file.write_bytes(file.read_bytes().replace(store.token.encode(), label.encode()))
    conf = directory / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
    return replace(store, token=label, conf=conf)


def _with_modules(modules: Path) -> tuple[str, ...]:
    """Let p11-kit see these modules and no others; to root it shows no user's."""
    mount = 'mount --bind "$0" /usr/share/p11-kit/modules && exec "$@"'
    return (*_NAMESPACE, "sh", "-c", mount, str(modules))


def _pin_file(directory: Path) -> Path:
    path = directory / "pin"
    path.touch(mode=0o600)
    path.write_text(f"{PIN}\n")
    return path


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _READY_SECONDS
    while not condition():
        assert time.monotonic() < until, "a server did not start"
        time.sleep(0.02)
