"""Everything a signer needs, in one directory: CA, token, keys, policy, configuration.

For development, demonstration and tests: the PIN lies in a file beside the token.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.dev import ports
from deploy.dev.ca import SERVER_NAMES, Authority, uri

EXAMPLES = Path(__file__).parents[1] / "examples"
SIGNGATE = Path(sys.executable).with_name("signgate")
CALLERS = {
    "wallet": "spiffe://firm.example/wallet-usdc",
    "payments": "spiffe://firm.example/payments",
    "desk": "spiffe://firm.example/desk",
    "officer-a": "spiffe://firm.example/officer/a",
    "officer-b": "spiffe://firm.example/officer/b",
    "officer-c": "spiffe://firm.example/officer/c",
    "ci": "spiffe://firm.example/ci",
    "siem": "spiffe://firm.example/siem",
    "stranger": "spiffe://firm.example/stranger",
}
OWN_KEYS = {"signgate-audit": "ed25519", "signgate-canary": "ecdsa-p256"}
KEYS = {
    "wd-usdc": "ecdsa-secp256k1",
    "payments": "ed25519",
    "day-desk": "ecdsa-p256",
    "night-desk": "ecdsa-p256",
}


@dataclass(frozen=True, slots=True)
class Environment:
    """A directory that holds a whole installation."""

    directory: Path

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "signgate.toml"

    @property
    def variables(self) -> dict[str, str]:
        """The process environment in which SoftHSM finds this directory's token."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.directory / "softhsm2.conf")}

    @property
    def authority(self) -> Authority:
        """The authority of all certificates."""
        return Authority.load(self.directory)

    def copy(self, directory: Path) -> Environment:
        """Return an independent copy of everything, the token included."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        copied = Environment(directory.resolve())
        _write_softhsm_configuration(copied.directory)
        return copied

    def serve_metrics(self) -> None:
        """Have the server show its metrics, at a port that it chooses."""
        with self.config.open("a", encoding="utf-8") as file:
            file.write('\n[metrics]\nlisten = "127.0.0.1:0"\n')

    def fix_ports(self) -> None:
        """Have the server listen on ports of its own where it was to choose them."""
        text = self.config.read_text(encoding="utf-8")
        text = re.sub(r'"127\.0\.0\.1:0"', lambda _: f'"127.0.0.1:{ports.claim()}"', text)
        self.config.write_text(text, encoding="utf-8")

    def signgate(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command ``signgate`` to its end."""
        command = [str(SIGNGATE), *arguments]
        return subprocess.run(
            command, env=self.variables, check=check, capture_output=True, text=True, timeout=60
        )

    def officer(self, name: str, address: str, *arguments: str, check: bool = True) -> str:
        """Run ``signgate policy`` at a control port, with somebody's certificate."""
        files = {"ca": "ca.crt", "certificate": f"{name}.crt", "private-key": f"{name}.key"}
        connection = [f"--{option}={self.directory / file}" for option, file in files.items()]
        ended = self.signgate(
            "policy", *arguments, f"--address={address}", *connection, check=check
        )
        return ended.stdout + ended.stderr

    def serve(self, *options: str) -> subprocess.Popen[str]:
        """Start the server; its log comes through ``stderr``."""
        command = [str(SIGNGATE), "serve", "--config", str(self.config), *options]
        return subprocess.Popen(command, env=self.variables, stderr=subprocess.PIPE, text=True)


def create(
    directory: Path,
    policy: str | None = None,
    listen: tuple[str, str] = ("127.0.0.1:0", "127.0.0.1:0"),
    keys: dict[str, str] | None = None,
) -> Environment:
    """Make a new installation in ``directory``, which is emptied first.

    ``listen`` has the addresses of the signing and the control port. ``keys`` are those
    of the policy; the service's own come with them.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    environment = Environment(directory.resolve())
    _write_certificates(directory)
    _write_configuration(directory, listen)
    text = policy or (EXAMPLES / "policy.toml").read_text(encoding="utf-8")
    (directory / "policy.toml").write_text(text, encoding="utf-8")
    shutil.copy(EXAMPLES / "root.toml", directory)
    _make_token(environment)
    for name, algorithm in (OWN_KEYS | (KEYS if keys is None else keys)).items():
        environment.signgate(
            "keys", "generate", name, "--algorithm", algorithm, "--config", str(environment.config)
        )
    return environment


def _write_certificates(directory: Path) -> None:
    authority = Authority()
    authority.write(directory)
    authority.issue(SERVER_NAMES).write(directory, "server")
    for name, san in CALLERS.items():
        authority.issue([uri(san)]).write(directory, name)


def _write_configuration(directory: Path, listen: tuple[str, str]) -> None:
    text = (EXAMPLES / "signgate.toml").read_text(encoding="utf-8")
    addresses = iter(listen)
    text = re.sub(r'(?m)^listen = ".*"', lambda _: f'listen = "{next(addresses)}"', text)
    (directory / "signgate.toml").write_text(text, encoding="utf-8")


def _make_token(environment: Environment) -> None:
    (environment.directory / "tokens").mkdir(mode=0o700)
    _write_softhsm_configuration(environment.directory)
    pin = environment.directory / "pin"
    pin.touch(mode=0o600)
    pin.write_text(secrets.token_hex(8), encoding="utf-8")
    # The tool takes a PIN as an argument only; this one is thrown away with its token.
    command = ["softhsm2-util", "--init-token", "--free", "--label", "signgate"]
    command += ["--pin", pin.read_text(encoding="utf-8"), "--so-pin", secrets.token_hex(8)]
    subprocess.run(command, env=environment.variables, check=True, capture_output=True)


def _write_softhsm_configuration(directory: Path) -> None:
    settings = f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n"
    (directory / "softhsm2.conf").write_text(settings, encoding="utf-8")
