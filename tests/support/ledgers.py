"""Ledgers for tests: real files, a real policy, and a clock that is set by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from policy import freezes
from policy.algorithms import Algorithm
from policy.document import load
from policy.model import Decoded, Facts, Format, Transfer
from policy.reasons import Code, PayloadError
from policy.rules import Policy
from signer.approval import Mint
from signer.ledger import Ledger, Settings
from signer.ledger.stopping import StopState
from signer.ledger.stops import freezing
from signer.model import Caller, Conflict, Granted, Outcome, Refused, SignRequest, Verdict

ALICE = Caller("spiffe://firm.example/alice", "aa" * 32, "192.0.2.1:1000")
MALLORY = Caller("spiffe://firm.example/mallory", "bb" * 32, "192.0.2.2:2000")
OFFICER = "spiffe://firm.example/officer/a"
OTHER_OFFICER = "spiffe://firm.example/officer/b"
ROOT = f"""
schema = 1
officers = ["{OFFICER}", "{OTHER_OFFICER}"]
quorum = 1
root_quorum = 1
"""
START_MS = 1_800_000_000_000
SECOND = 1000
HOUR = 3600 * SECOND
ORIGIN = "signgate.test/log"

POLICY = """
schema = 1

[assets.USD]
decimals = 2

[addresses.friends]
"bob" = "a friend"
"carol" = "another"

[keys.pay]
algorithm = "ed25519"
payloads = ["intent"]
validators = ["spiffe://firm.example/alice"]

[[keys.pay.grants]]
id = "friends"
callers = ["spiffe://firm.example/alice"]
action = "intent.transfer"
assets = ["USD"]
destinations = ["@friends"]

[[keys.pay.limits]]
asset = "USD"
per_request = "100"
windows = [{ span = "1h", total = "1000" }]
"""


def _refuse(payload: bytes) -> Decoded:
    raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "payload", f"{len(payload)} bytes")


# Requests come to the ledger decoded, so the formats are only names to it.
FORMATS = {
    tag: Format(tag, _refuse, frozenset({action}), frozenset({Algorithm.ED25519}))
    for tag, action in (("intent", "intent.transfer"), ("other", "other.transfer"))
}


def load_policy(text: str) -> Policy:
    """Compile a policy over the test's formats."""
    return load(text, FORMATS)


def pay(
    amount: int = 100,
    *,
    id: str = "r-1",  # noqa: A002 - the shortest name, used everywhere
    to: str = "bob",
    caller: Caller = ALICE,
    key: str = "pay",
    version: int | None = None,
    format: str = "intent",  # noqa: A002 - the field's name
    validate_only: bool = False,
) -> SignRequest:
    """Return a request to pay so many cents."""
    payload = f"{amount} USD to {to}".encode()
    facts = Facts("intent.transfer", (Transfer("USD", amount, to),))
    return SignRequest(
        caller,
        id,
        key,
        version,
        format,
        sha256(payload).digest(),
        Decoded(facts, payload),
        validate_only,
    )


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: int = START_MS

    def __call__(self) -> int:
        """Return milliseconds since the epoch."""
        return self.now


@dataclass
class Bench:
    """A directory with a ledger, the clock and the mint that it uses."""

    path: Path
    clock: Clock = field(default_factory=Clock)
    mint: Mint = field(default_factory=Mint)
    settings: Settings = field(default_factory=lambda: Settings(ORIGIN))
    opened: list[Ledger] = field(default_factory=list)

    def open(self, policy: str | None = POLICY, clock: Callable[[], int] | None = None) -> Ledger:
        """Open the ledger, as another process would; with a policy if it has none."""
        ledger = Ledger(self.path, self.mint, load_policy, self.settings, clock or self.clock)
        self.opened.append(ledger)
        if policy is not None:
            ledger.bootstrap_policy(policy, OFFICER)
        return ledger

    def close(self) -> None:
        """Close every ledger."""
        while self.opened:
            self.opened.pop().close()


def one(ledger: Ledger, request: SignRequest) -> Verdict:
    """Decide one request."""
    [verdict] = ledger.decide([request])
    return verdict


def freeze(ledger: Ledger, scope: str, name: str, by: str = OFFICER, reason: str = "") -> StopState:
    """Freeze something."""
    return ledger.duty.stop(freezing(freezes.parse(scope, name), by, reason))


def thaw(ledger: Ledger, scope: str, name: str) -> None:
    """Have the quorum of officers end a freeze."""
    ledger.bootstrap_root(ROOT, "test")
    what = freezes.parse(scope, name)
    assert ledger.duty.end_stop(freezing(what, OFFICER)).in_force
    assert not ledger.duty.end_stop(freezing(what, OTHER_OFFICER)).in_force


def granted(ledger: Ledger, request: SignRequest) -> Granted:
    """Decide one request that must be granted."""
    verdict = one(ledger, request)
    assert isinstance(verdict, Granted), verdict
    return verdict


def signed(verdict: Granted, signature: bytes = b"s" * 64) -> Outcome:
    """Return the outcome of a signature."""
    return Outcome(verdict.approval, signature)


def last(ledger: Ledger) -> dict[str, Any]:
    """Return the newest record of the audit log."""
    [(_, body)] = ledger.leaves(ledger.size() - 1, 1)
    found: dict[str, Any] = json.loads(body)
    return found


def spent(ledger: Ledger) -> int:
    """Return what the hour's window holds, in cents, as the audit log tells it."""
    one(ledger, pay(1, validate_only=True))
    [limit, *_] = last(ledger)["limits"]
    return int(limit["before"]["total"])


def code(verdict: Verdict) -> str:
    """Return the code that a caller is told."""
    if isinstance(verdict, Conflict):
        return verdict.code.value
    assert isinstance(verdict, Refused), verdict
    return verdict.reasons[0].code.value
