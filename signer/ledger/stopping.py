"""Freezing and slowing, within a transaction: one stops at once, a quorum allows again.

Whoever may call stops, and by stopping again objects to an end that was asked for. An
end takes an officer who asks and the root document's quorum of other officers who ask,
too. It waits for nothing else.
"""

from hashlib import sha256
from typing import NamedTuple

from signer.errors import OfficerRequiredError, RateNotLowerError, SigngateError
from signer.ledger import quorum
from signer.ledger.rows import Kind, Progress, Proposal
from signer.ledger.stops import How, Stop
from signer.ledger.transaction import Transaction

# The events of their ends; of what is asked for, with ``.asked`` behind it.
_ENDS = {How.FREEZE: "unfreeze", How.RATE: "rate.end"}


class StopState(NamedTuple):
    """What became of a stop.

    ``in_force`` is None when it is over. ``askers`` are those whose asking for its end
    counts, of ``required``; 0 where no root document says how many it takes.
    """

    in_force: Stop | None
    askers: tuple[str, ...] = ()
    required: int = 0


def stop(tx: Transaction, wanted: Stop) -> StopState | SigngateError:
    """Put a freeze or a rate in force; a rate that is in force can only be lowered."""
    earlier = tx.store.stops.find(wanted.how, wanted.what)
    wanted = wanted._replace(since_ms=tx.now_ms)
    if earlier is None or _lowers(wanted, earlier):
        tx.store.stops.put(wanted)
        _note(tx, wanted.how.value, "ok", wanted)
        _reload(tx)
    elif earlier.per_minute != wanted.per_minute:
        return RateNotLowerError(f"it is {earlier.per_minute} a minute: a rate can only be lowered")
    elif (asked := _asked(tx, earlier)) is not None:
        tx.store.proposals.end(asked.number, Progress.REJECTED)
        _note(tx, wanted.how.value, "confirmed", wanted)
    return state(tx, wanted)


def end(tx: Transaction, wanted: Stop) -> StopState | SigngateError:
    """Ask for an end, as ``wanted.by``; it comes once enough officers have asked."""
    event, officer = _ENDS[wanted.how], wanted.by
    if tx.root is None or officer not in tx.root.officers:
        _note(tx, f"{event}.asked", "refused", wanted)
        return OfficerRequiredError("only an officer of the root document may ask", officer)
    found = tx.store.stops.find(wanted.how, wanted.what)
    if found is None:
        return StopState(None)
    if officer not in state(tx, wanted).askers:
        _ask(tx, found, wanted)
        _note(tx, f"{event}.asked", "ok", wanted)
    after = state(tx, wanted)
    if len(after.askers) < after.required:
        return after
    _finish(tx, found)
    _note(tx, event, "ok", wanted)
    return after._replace(in_force=None)


def state(tx: Transaction, wanted: Stop) -> StopState:
    """Return how a stop stands."""
    found = tx.store.stops.find(wanted.how, wanted.what)
    if tx.root is None:
        return StopState(found)
    required = 1 + tx.root.quorum
    asked = None if found is None else _asked(tx, found)
    if asked is None:
        return StopState(found, (), required)
    others = (one.officer for one in quorum.counted(tx.root, asked))
    return StopState(found, (asked.author, *others), required)


def _asked(tx: Transaction, found: Stop) -> Proposal | None:
    """Return the proposal to end this very stop, while it can still be approved."""
    asked = tx.store.proposals.of(Kind.UNFREEZE, found.since_ms, _digest(found))
    if asked is None or asked.progress is not Progress.OPEN or tx.now_ms >= asked.expires_ms:
        return None
    return asked if tx.root and asked.author in tx.root.officers else None


def _ask(tx: Transaction, found: Stop, wanted: Stop) -> None:
    assert tx.root is not None  # noqa: S101 - it names the officer who asks
    asked = _asked(tx, found)
    if asked is not None:
        quorum.endorse(tx, asked, wanted.by)
        return
    proposal = Proposal(
        number=0,
        kind=Kind.UNFREEZE,
        base=found.since_ms,
        sha256=_digest(found),
        body=_body(found),
        author=wanted.by,
        reason=wanted.reason,
        looser=True,
        proposed_ms=tx.now_ms,
        expires_ms=tx.now_ms + tx.root.proposal_life_ms,
    )
    tx.store.proposals.add(proposal)


def _finish(tx: Transaction, found: Stop) -> None:
    asked = _asked(tx, found)
    assert asked is not None  # noqa: S101 - it has its quorum
    tx.store.proposals.end(asked.number, Progress.DONE)
    tx.store.stops.end(found.how, found.what)
    _reload(tx)


def _body(found: Stop) -> str:
    return " ".join(filter(None, (_ENDS[found.how], found.scope, found.name)))


def _digest(found: Stop) -> str:
    return sha256(_body(found).encode()).hexdigest()


def _lowers(wanted: Stop, earlier: Stop) -> bool:
    if wanted.per_minute is None or earlier.per_minute is None:
        return False
    return wanted.per_minute < earlier.per_minute


def _reload(tx: Transaction) -> None:
    tx.state = tx.state._replace(control_seq=tx.state.control_seq + 1)
    tx.load_control()


def _note(tx: Transaction, event: str, outcome: str, wanted: Stop) -> None:
    rate = "" if wanted.per_minute is None else f"{wanted.per_minute} a minute: "
    tx.append(
        event=event,
        outcome=outcome,
        by=wanted.by,
        scope=str(wanted.scope),
        name=wanted.name or None,
        detail=rate + wanted.reason or None,
    )
