"""The service's configuration: one TOML file, every error of it at once.

Each field says its unit, its default and its bounds. Relative paths are taken
from the configuration file's directory. Secrets are never in here: the PIN is
named by its provider.
"""

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from signer.errors import ConfigError

MAX_PORT = 65535


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > MAX_PORT:
        raise ValueError(f"{text!r} is not host:port, such as 127.0.0.1:8443")
    if host != "localhost":
        try:
            ip_address(host.strip("[]"))
        except ValueError:
            raise ValueError(f"{host!r} is not an IP address to listen on") from None
    return text


def _from_directory(path: Path, info: ValidationInfo) -> Path:
    return Path(info.context or ".") / path


Address = Annotated[str, AfterValidator(_address)]
FilePath = Annotated[Path, AfterValidator(_from_directory)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listener(_Section):
    """A port and the callers that may use it.

    Attributes:
        listen: address and port to listen on; port 0 takes a free one.
        callers: the SANs that may call; everybody else is refused, so an empty
            list refuses all.
    """

    listen: Address
    callers: frozenset[str]


class Tls(_Section):
    """TLS 1.3 with client certificates on both ports.

    Attributes:
        certificate: the server's chain, PEM.
        private_key: its key, PEM; must not be readable by others.
        client_ca: the authorities that issue the callers' certificates, PEM.
    """

    certificate: FilePath
    private_key: FilePath
    client_ca: FilePath


class Pin(_Section):
    """Where the token's PIN comes from: exactly one of the two.

    Attributes:
        file: a file that only its owner can read, such as a mounted secret.
        env: the name of an environment variable.
    """

    file: FilePath | None = None
    env: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError('needs exactly one of file = "…" or env = "…"')
        return self


class Replica(_Section):
    """Another token with the same keys, which is used side by side with the first.

    Attributes:
        token: its label.
        serial: its serial number, needed where two tokens have the same label.
        module: its library; default that of the first token.
        pin: the provider of its user PIN; default that of the first token.
    """

    token: str
    serial: str | None = None
    module: Path | None = None
    pin: Pin | None = None


class Sessions(_Section):
    """Bounds of the number of sessions on a token, which is found by measuring.

    Attributes:
        min: how many there are at the start, 1 to 256.
        max: how many there may be, 1 to 256.
    """

    min: int = Field(ge=1, le=256)
    max: int = Field(ge=1, le=256)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min = {self.min} is more than max = {self.max}")
        return self


def _kind(value: object) -> str:
    return "number" if isinstance(value, int) else "bounds"


# Told apart by hand, so that a problem is named in the one that is meant.
SessionCount = Annotated[
    Annotated[int, Field(ge=1, le=256), Tag("number")] | Annotated[Sessions, Tag("bounds")],
    Discriminator(_kind),
]


class Hsm(_Section):
    """The PKCS#11 tokens.

    Attributes:
        module: the library, such as /usr/lib/softhsm/libsofthsm2.so.
        token: the token's label.
        serial: its serial number, needed where two tokens have the same label.
        pin: the provider of the user PIN.
        replicas: other tokens with the same keys; default none.
        sessions: sessions to keep open on each token in each process, 1 to 256; default 4.
            A network HSM wants its engines x (1 + network time / engine time) and a
            quarter more, over all processes. With { min = 1, max = 32 } the number is
            found under load: one more as long as signatures take no longer for it.
        queue: how many requests may wait for a session, for orders and for bulk keys
            each, 1 to 4,096; default four for each session.
        bulk_keys: keys whose requests let those of all other keys go first; default none.
        stuck_seconds: how long one call of the token may take before its session
            counts as lost, 1 to 300 seconds; default 10.
        keepalive_seconds: how long a session may be idle before it is pinged, 1 to
            3,600 seconds; default 20.
    """

    module: Path
    token: str
    serial: str | None = None
    pin: Pin
    replicas: tuple[Replica, ...] = ()
    sessions: SessionCount = 4
    queue: int | None = Field(default=None, ge=1, le=4096)
    bulk_keys: frozenset[str] = frozenset()
    stuck_seconds: float = Field(default=10, ge=1, le=300)
    keepalive_seconds: float = Field(default=20, ge=1, le=3600)


class Ledger(_Section):
    """The ledger.

    Attributes:
        path: the SQLite file; created when missing.
        lease_seconds: how long an unanswered attempt keeps its request id before a
            retry may resume it, 1 to 300 seconds; default 10.
        retention_days: how long request ids are remembered, 1 to 3,650 days; default 7.
    """

    path: FilePath
    lease_seconds: int = Field(default=10, ge=1, le=300)
    retention_days: int = Field(default=7, ge=1, le=3650)


class Audit(_Section):
    """The audit log's publication.

    Attributes:
        origin: the log's name in its checkpoints, such as signgate.firm.example/vault.
        directory: where tiles and checkpoints are written.
        key: the Ed25519 key on the token that signs checkpoints; default signgate-audit.
        version: that key's version, from 1; default 1.
    """

    origin: str = Field(pattern=r"^[!-*,-~]{1,200}$")
    directory: FilePath
    key: str = "signgate-audit"
    version: int = Field(default=1, ge=1)


class Policy(_Section):
    """The documents that an empty ledger starts with.

    Attributes:
        bootstrap: the policy that becomes version 1; a ledger that already has a
            policy ignores it. Without it an empty ledger refuses every request.
        root: the root document that becomes version 1, likewise. Without one nobody
            may propose or approve anything, or end a freeze.
    """

    bootstrap: FilePath | None = None
    root: FilePath | None = None


class Server(_Section):
    """Sizes and times of the server.

    Attributes:
        threads: handlers of the signing port, 1 to 256; default 16. One caller runs on
            three quarters of them, and streams on half, a quarter for one caller. Single
            calls for keys that sign within two milliseconds need none.
        max_calls: calls under way or waiting for a handler, 16 to 65,536; more are
            refused at once, as are one caller's beyond half of them; default 1,024.
        max_payload_bytes: the largest payload, 1 KiB to 1 MiB; default 262,144.
        request_seconds: the longest a request may take when its caller sets no
            deadline, or a later one, 1 to 60 seconds; default 5.
        drain_seconds: how long a shutdown waits for accepted requests, 1 to 300
            seconds; default 20.
        start_seconds: how long a process of several may take until it serves, before it
            is killed and started again, 1 to 3,600 seconds; default 60. Every
            key proves itself first: 10,000 of them take SoftHSM about 10 seconds.
    """

    threads: int = Field(default=16, ge=1, le=256)
    max_calls: int = Field(default=1024, ge=16, le=65536)
    max_payload_bytes: int = Field(default=256 * 1024, ge=1024, le=1024 * 1024)
    request_seconds: int = Field(default=5, ge=1, le=60)
    drain_seconds: int = Field(default=20, ge=1, le=300)
    start_seconds: int = Field(default=60, ge=1, le=3600)


class Canary(_Section):
    """A signature by each token at a fixed pace, which shows that it still signs.

    It is outside of all limits and moves nothing; the audit log has each of them.

    Attributes:
        key: the key that signs, on every token; best one that signs nothing else.
            Default: no canary.
        version: its version, from 1; default 1.
        interval_seconds: between two signatures of a token, in each signing process, 1
            to 3,600 seconds; default 30.
    """

    key: str | None = None
    version: int = Field(default=1, ge=1)
    interval_seconds: float = Field(default=30, ge=1, le=3600)


class Metrics(_Section):
    """Metrics over plain HTTP, at /metrics; deploy/docs/metrics.md lists them.

    Attributes:
        listen: address and port, 127.0.0.1:9464 for an agent on this host; port 0
            takes a free one. They hold no secret but tell of keys and load, to whoever
            reaches the port. Default: none are served.
    """

    listen: Address | None = None


class Rate(_Section):
    """A token bucket.

    Attributes:
        per_second: how many requests a second, more than 0 to 1,000,000.
        burst: how many at once after a pause, 1 to 1,000,000.
    """

    per_second: float = Field(gt=0, le=1_000_000)
    burst: int = Field(ge=1, le=1_000_000)


class Rates(_Section):
    """How fast requests may come, in each signing process; unlimited where nothing is said.

    Attributes:
        caller: each caller, over all keys; default unlimited.
        key: each key; half is shared and half reserved in equal parts for the callers
            granted on it; default unlimited.
        callers: single callers by SAN, in the place of ``caller``.
        keys: single keys, in the place of ``key``.
    """

    caller: Rate | None = None
    key: Rate | None = None
    callers: dict[str, Rate] = {}
    keys: dict[str, Rate] = {}


class Log(_Section):
    """The operational log, JSON lines on standard error.

    Attributes:
        level: debug, info, warning or error; default info.
    """

    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")


class Config(_Section):
    """The whole file; see deploy/examples/signgate.toml."""

    signing: Listener
    control: Listener
    tls: Tls
    hsm: Hsm
    ledger: Ledger
    audit: Audit
    policy: Policy = Policy()
    server: Server = Server()
    canary: Canary = Canary()
    rates: Rates = Rates()
    metrics: Metrics = Metrics()
    log: Log = Log()


def load(path: Path) -> Config:
    """Read the configuration file.

    Raises:
        ConfigError: one line that names the file and every problem in it.
    """
    try:
        document: dict[str, Any] = tomllib.loads(read(path).decode())
        return Config.model_validate(document, context=path.parent)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        problems = (f"{_path(item['loc'])}: {item['msg']}" for item in error.errors())
        raise ConfigError(f"{path}: {'; '.join(problems)}") from None


def read(path: Path) -> bytes:
    """Read a file that the configuration names.

    Raises:
        ConfigError: it can't be read; names it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
