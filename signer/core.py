"""What every port needs, opened as the configuration says: a part of the composition root."""

from functools import partial

from policy import document
from policy.algorithms import Algorithm
from policy.payloads import FORMATS
from policy.problems import PolicyError
from policy.rules import Policy
from signer.approval import Mint
from signer.config import Config, Hsm, Replica, read
from signer.errors import ConfigError
from signer.hsm import Limits, Pool, SessionRange, Token, open_token
from signer.ledger import Ledger, Settings
from signer.metrics.meter import Meter
from signer.metrics.sources import of_ledger, of_pool, of_process
from signer.pin import provider
from signer.policies import unserved

DAY_MS = 24 * 3_600_000


class Core:
    """What every port needs: the ledger, the token, the pool over it, and who counts."""

    def __init__(self, config: Config, *, signing: bool) -> None:
        """Open all; without ``signing`` the pool is for checkpoints only: one session a token."""
        mint = Mint()
        self.meter = Meter()
        self.ledger = _ledger(config, mint, self.meter)
        hsm = config.hsm
        self.tokens = _tokens(hsm)
        limits = Limits(
            queue=hsm.queue,
            stuck_seconds=hsm.stuck_seconds,
            keepalive_seconds=hsm.keepalive_seconds,
            bulk_keys=hsm.bulk_keys,
        )
        self.pool = Pool(
            *self.tokens,
            sessions=_sessions(hsm) if signing else 1,
            redeem=mint.redeem,
            limits=limits,
            observer=self.meter,
        )
        self.meter.know(name.key for name in self.pool.key_versions())
        for source in (of_pool(self.pool), of_ledger(self.ledger), of_process()):
            self.meter.watch(source)
        _check_keys(self.ledger.policy(), self.pool, config)

    def lost(self) -> str | None:
        """Tell why only a new process can help; None while this one can go on."""
        if self.ledger.failure is not None:
            return f"the ledger has stopped: {self.ledger.failure}"
        if self.pool.must_restart:
            slots = self.pool.status()
            errors = ", ".join(f"{slot.label!r}: {slot.last_error or slot.state}" for slot in slots)
            return f"calls of the HSM hang, or its module is lost ({errors})"
        return None

    def close(self) -> None:
        """Close everything, the ledger first: it makes durable what is queued."""
        self.ledger.close()
        ended = self.pool.close()
        for token in self.tokens:
            if ended:
                token.close()
            else:
                token.abandon()


def _ledger(config: Config, mint: Mint, meter: Meter) -> Ledger:
    settings = Settings(
        origin=config.audit.origin,
        audit_key=config.audit.key,
        audit_version=config.audit.version,
        lease_ms=config.ledger.lease_seconds * 1000,
        retention_ms=config.ledger.retention_days * DAY_MS,
    )
    ledger = Ledger(
        config.ledger.path, mint, partial(document.load, formats=FORMATS), settings, observer=meter
    )
    for path, put in (
        (config.policy.root, ledger.bootstrap_root),
        (config.policy.bootstrap, ledger.bootstrap_policy),
    ):
        if path is not None:
            try:
                put(read(path).decode(), by=f"bootstrap {path}")
            except (PolicyError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}: {error}") from None
    return ledger


def _sessions(hsm: Hsm) -> int | SessionRange:
    if isinstance(hsm.sessions, int):
        return hsm.sessions
    return SessionRange(hsm.sessions.min, hsm.sessions.max)


def _tokens(hsm: Hsm) -> list[Token]:
    first = Replica(token=hsm.token, serial=hsm.serial)
    tokens = []
    for replica in (first, *hsm.replicas):
        pin = replica.pin or hsm.pin
        pins = provider(pin.file, pin.env)
        tokens.append(
            open_token(replica.module or hsm.module, replica.token, pins, serial=replica.serial)
        )
    return tokens


def _check_keys(policy: Policy | None, pool: Pool, config: Config) -> None:
    """Refuse to start when the token can't serve a key that the policy or the log names."""
    audit = config.audit
    missing = unserved(policy, pool.serves) if policy else []
    if not pool.serves(audit.key, audit.version, Algorithm.ED25519):
        missing.append(f"keys/{audit.key}/versions/{audit.version} ({Algorithm.ED25519})")
    if missing:
        raise ConfigError(f"token {config.hsm.token!r} can't sign with {', '.join(missing)}")
