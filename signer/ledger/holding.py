"""Requests above a grant's threshold, within a transaction: held, agreed to, used once.

A hold counts only while the policy in force still says what its approvers were told,
and an approval only while its giver still is an approver. Limits, freezes and hours are
held against the request when it is repeated, not when it is held.
"""

from enum import StrEnum
from typing import NamedTuple

from policy import approvals, words
from policy.approvals import Tally
from policy.model import Ask, Usage
from policy.reasons import Code, Reason
from policy.rules import Policy
from signer.errors import (
    ApprovalClosedError,
    ApprovalNotFoundError,
    InvalidRequestError,
    SigngateError,
)
from signer.ledger import entries
from signer.ledger.holds import Hold, HoldStanding
from signer.ledger.transaction import Transaction
from signer.model import Caller, SignRequest


class State(StrEnum):
    """Where a hold stands."""

    PENDING = "pending"
    APPROVED = "approved"  # the caller may repeat the request
    REJECTED = "rejected"
    EXPIRED = "expired"
    USED = "used"


class Held(NamedTuple):
    """A hold, where it stands, and how its approvals count by the policy in force."""

    hold: Hold
    state: State
    tally: Tally | None


LIFE_MS = 3_600_000  # where no root document says otherwise
KEPT_MS = 30 * 24 * 3_600_000  # after they expired, for whoever looks one up
MAX_OPEN = 100  # of one caller, so that it cannot bury the others' in front of the approvers


def find(tx: Transaction, request: SignRequest, ask: Ask, policy: Policy) -> Hold | None:
    """Return the request's newest hold, if its approvers were told what it does today.

    What was rejected stays so, whatever has changed.
    """
    hold = tx.store.holds.newest(request.caller.san, request.request_id)
    if hold is None or hold.standing is HoldStanding.REJECTED:
        return hold
    return hold if _same(hold, request, ask, policy) else None


def given(tx: Transaction, hold: Hold | None, *, resumed: bool) -> frozenset[str]:
    """Return who has agreed, where that may still be used.

    An attempt that is resumed goes on with the approvals that it has used already.
    """
    if hold is None:
        return frozenset()
    if resumed:
        return frozenset(hold.approvals if hold.standing is HoldStanding.USED else ())
    return frozenset(hold.approvals if _open(hold, tx.now_ms) else ())


def use(tx: Transaction, hold: Hold) -> None:
    """Use the approvals up."""
    tx.store.holds.put(hold._replace(standing=HoldStanding.USED))


def give_back(tx: Transaction, caller: str, request_id: str) -> None:
    """Let the approvals count again: for certain, no signature was made with them."""
    hold = tx.store.holds.newest(caller, request_id)
    if hold is not None and hold.standing is HoldStanding.USED:
        tx.store.holds.put(hold._replace(standing=HoldStanding.PENDING))


def keep(
    tx: Transaction, request: SignRequest, ask: Ask, usage: Usage, hold: Hold | None
) -> Hold | Reason | None:
    """Hold a request that lacks approvals; a reason where it is not to be held.

    None where something else is missing, too: then it is no use to ask anybody.
    """
    assert tx.policy is not None  # noqa: S101 - the request was decided by it
    policy = tx.policy.policy
    if hold is not None and hold.standing is HoldStanding.REJECTED:
        return Reason(Code.APPROVAL_REJECTED, hold.name, "an approver rejected it")
    grants = approvals.lacking(policy, ask, usage, tx.now_ms)
    if not grants:
        return None
    if hold is not None and _open(hold, tx.now_ms):
        if grants != hold.grants:
            tx.store.holds.put(hold._replace(grants=grants))
        return hold
    if tx.store.holds.count(request.caller.san, tx.now_ms) >= MAX_OPEN:
        detail = f"{MAX_OPEN} requests of the caller wait already"
        return Reason(Code.APPROVAL_BACKLOG, f"keys.{ask.key}.grants", detail)
    return _new(tx, request, ask, grants)


def _new(tx: Transaction, request: SignRequest, ask: Ask, grants: tuple[str, ...]) -> Hold:
    assert tx.policy is not None  # noqa: S101 - as above
    policy = tx.policy.policy
    key = policy.keys[ask.key]
    text = words.sentence(ask.facts, policy.assets)
    members = entries.asked(request) | {"key_version": entries.key_version(key.name, key.version)}
    number = tx.append(
        event="approval", outcome="requested", detail=text, policy=tx.policy.named, **members
    )
    life_ms = tx.root.hold_life_ms if tx.root else LIFE_MS
    tx.store.holds.forget(tx.now_ms - KEPT_MS)
    hold = Hold(
        number=number,
        caller=request.caller.san,
        request_id=request.request_id,
        key=key.name,
        version=key.version,
        format=request.format,
        payload_sha256=request.payload_sha256,
        words=text,
        grants=grants,
        held_ms=tx.now_ms,
        expires_ms=tx.now_ms + life_ms,
    )
    tx.store.holds.put(hold)
    return hold


def counted(policy: Policy, hold: Hold) -> Tally | None:
    """Count a hold's approvals as the policy in force has it; None if no grant wants any."""
    return next(iter(_tallies(policy, hold)), None)


def is_shown(policy: Policy, hold: Hold, person: str) -> bool:
    """Whether a person is asked to approve: whoever is not learns nothing of the hold."""
    return any(person in tally.approvers for tally in _tallies(policy, hold))


def _tallies(policy: Policy, hold: Hold) -> list[Tally]:
    key = policy.keys.get(hold.key)
    return approvals.tallies(key, hold.grants, hold.caller, hold.approvals)


def shown(tx: Transaction, person: str) -> list[Held]:
    """Return the open holds that a person may decide on, oldest first."""
    if tx.policy is None:
        return []
    holds = tx.store.holds.open(tx.now_ms)
    return [_held(tx, hold) for hold in holds if is_shown(tx.policy.policy, hold, person)]


def look_up(tx: Transaction, number: int, person: str) -> Held | SigngateError:
    """Return a hold that a person may decide on, or could have."""
    hold = tx.store.holds.get(number)
    if hold is None or tx.policy is None or not is_shown(tx.policy.policy, hold, person):
        return ApprovalNotFoundError(f"no approvals/{number} that this caller may decide on")
    return _held(tx, hold)


def approve(
    tx: Transaction, number: int, by: Caller, payload_sha256: bytes
) -> Held | SigngateError:
    """Note that an approver agrees to the payload with this hash; once more changes nothing."""
    hold = _decidable(tx, number, by)
    if isinstance(hold, SigngateError):
        return hold
    if payload_sha256 != hold.payload_sha256:
        _note(tx, hold, by, "refused", "another payload's hash")
        return InvalidRequestError("payload_sha256: not that of the payload that is held")
    if by.san not in hold.approvals:
        hold = hold._replace(approvals=(*hold.approvals, by.san))
        tx.store.holds.put(hold)
        _note(tx, hold, by, "approved")
    return _held(tx, hold)


def reject(tx: Transaction, number: int, by: Caller, reason: str) -> Held | SigngateError:
    """End a hold: the request id will never be signed."""
    hold = _decidable(tx, number, by)
    if isinstance(hold, SigngateError):
        return hold
    hold = hold._replace(standing=HoldStanding.REJECTED)
    tx.store.holds.put(hold)
    _note(tx, hold, by, "rejected", reason)
    return _held(tx, hold)


def _decidable(tx: Transaction, number: int, by: Caller) -> Hold | SigngateError:
    held = look_up(tx, number, by.san)
    if isinstance(held, SigngateError):
        return held
    if held.state not in {State.PENDING, State.APPROVED}:
        return ApprovalClosedError(f"{held.hold.name} is {held.state}: nothing is left to decide")
    return held.hold


def _held(tx: Transaction, hold: Hold) -> Held:
    tally = counted(tx.policy.policy, hold) if tx.policy else None
    if hold.standing is not HoldStanding.PENDING:
        state = State(hold.standing.value)
    elif not _open(hold, tx.now_ms):
        state = State.EXPIRED
    else:
        state = State.APPROVED if tally and tally.reached else State.PENDING
    return Held(hold, state, tally)


def _open(hold: Hold, now_ms: int) -> bool:
    return hold.standing is HoldStanding.PENDING and now_ms < hold.expires_ms


def _same(hold: Hold, request: SignRequest, ask: Ask, policy: Policy) -> bool:
    bound = (hold.key, hold.version, hold.format, hold.payload_sha256, hold.words)
    version = policy.keys[ask.key].version
    text = words.sentence(ask.facts, policy.assets)
    return bound == (request.key, version, request.format, request.payload_sha256, text)


def _note(tx: Transaction, hold: Hold, by: Caller, outcome: str, detail: str = "") -> None:
    tx.append(
        event="approval",
        outcome=outcome,
        request_id=hold.request_id,
        caller=entries.caller(by),
        key_version=entries.key_version(hold.key, hold.version),
        decision=hold.number,
        by=by.san,
        approvals=hold.approvals,
        detail=detail or None,
    )
