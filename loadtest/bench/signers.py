"""The signers that are measured: real ones, of the release's own parts."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.dev import environment
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from loadtest.bench import token
from loadtest.bench.remote import Remote
from loadtest.bench.subjects import P256, RSA, SECP256K1, Subject
from loadtest.errors import LoadtestError
from loadtest.peers import KEYS, POLICY
from loadtest.target import Target
from loadtest.usage import Cpu

LIMIT = """
[[keys.{key}.limits]]
asset = "{asset}"
per_request = "50000"
windows = [{{ span = "24h", total = "1000000000000", count = 1000000000 }}]
"""
GRANT = """
[[keys.{key}.grants]]
id = "{id}"
callers = ["{caller}"]
action = "intent.transfer"
assets = ["EUR"]
destinations = ["@suppliers"]
"""
KEY = """
[keys.{key}]
algorithm = "{algorithm}"
payloads = ["intent"]
"""
DESK, PAYMENTS = "spiffe://firm.example/desk", "spiffe://firm.example/payments"


def policy(*, grants: int = 0, limits: int = 0, keys: int = 0) -> str:
    """Return the policy of the load profiles, with two keys for intents and more of something.

    Args:
        grants: grants of the orders' key, each to another caller.
        limits: assets that the orders' key has a limit for.
        keys: keys like the orders' one, by the names of ``key_names``.
    """
    text = POLICY.read_text(encoding="utf-8")
    names = [f"A{number}" for number in range(limits)]
    parts = [text]
    parts += [_key(each.key, each.algorithm.value, PAYMENTS) for each in (SECP256K1, RSA)]
    parts += [_key(name, P256.algorithm.value, DESK) for name in key_names(keys)]
    for number in range(grants):
        caller = f"spiffe://firm.example/desk/{number}"
        parts.append(GRANT.format(key=P256.key, id=f"desk-{number}", caller=caller))
    for name in names:
        parts.append(f"[assets.{name}]\ndecimals = 2\n")
        parts.append(LIMIT.format(key=P256.key, asset=name))
    return "\n".join(parts)


def key_names(number: int) -> list[str]:
    """Return the names of so many further keys."""
    return [f"orders-{place}" for place in range(number)]


def _key(name: str, algorithm: str, caller: str) -> str:
    return (
        KEY.format(key=name, algorithm=algorithm)
        + GRANT.format(key=name, id="signing", caller=caller)
        + LIMIT.format(key=name, asset="EUR")
    )


def install(directory: Path) -> Environment:
    """Make an installation with a key of each algorithm in ``directory``, emptied first."""
    try:
        made = environment.create(directory, policy=policy(), keys=KEYS)
        for subject, further in ((SECP256K1, ()), (RSA, ("--bits", "2048"))):
            made.signgate(
                *("keys", "generate", subject.key, "--algorithm", subject.algorithm.value),
                *(*further, "--config", str(made.config)),
            )
    except subprocess.CalledProcessError as error:
        raise LoadtestError(f"{error}: {error.stderr}") from error
    _tune(made)
    return made


def _tune(made: Environment) -> None:
    """Have a session for each thread of the raw loop, room for whoever waits, and time.

    The token is on the same cores: more sessions would only interrupt each other.
    """
    text = made.config.read_text(encoding="utf-8")
    tuned = "[server]\nrequest_seconds = 60\n"
    if "[server]" in text:
        raise LoadtestError("the example configuration has a [server] section by now: tune that")
    text = re.sub(r"(?m)^sessions = .*$", f"sessions = {token.THREADS}\nqueue = 64", text)
    made.config.write_text(f"{text}\n{tuned}", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Signer:
    """One that serves; ``start_seconds`` is the CPU time that it used until it did."""

    target: Target
    log: list[str]
    start_seconds: float

    def public_key(self, subject: Subject) -> tuple[str, bytes]:
        """Return a key's name and its public key, serialised."""
        found = self.target.public_key(subject.key, subject.client)
        return subject.key, found.SerializeToString()


def filled(made: Environment, keys: int) -> Environment:
    """Give an installation so many further keys, and one session.

    Raises:
        LoadtestError: they could not be made.
    """
    (made.directory / "policy.toml").write_text(policy(keys=keys), encoding="utf-8")
    with Remote(token.generate, made.directory) as generate:
        generate.call(key_names(keys), P256.algorithm)
    text = made.config.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^sessions = .*$", "sessions = 1", text)
    text = text.replace("[server]", "[server]\nstart_seconds = 600")
    made.config.write_text(text, encoding="utf-8")
    return made


@contextmanager
def serving(installed: Environment, *, workers: int) -> Iterator[Signer]:
    """Serve with so many signing processes, each on a core of its own.

    Raises:
        LoadtestError: it did not start.
    """
    installed.fix_ports()
    try:
        server = Serving(installed, f"--workers={workers}")
    except RuntimeError as error:
        raise LoadtestError(str(error)) from error
    with server:
        pids = (server.process.pid,)
        target = Target(server.signing, installed.directory, pids)
        yield Signer(target, server.log, Cpu(pids).seconds())
