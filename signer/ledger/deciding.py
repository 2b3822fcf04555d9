"""What becomes of one request within a transaction. Read it from top to bottom."""

from msgspec.structs import replace

from policy import engine
from policy.model import Charge, Decision
from policy.reasons import Reason
from signer.approval import Approval
from signer.codes import Code as ServiceCode
from signer.ledger import entries, holding
from signer.ledger.judging import Judgement, Permit, judge, validate
from signer.ledger.rows import Request, Standing
from signer.ledger.transaction import Transaction
from signer.model import Conflict, Granted, Refused, Signed, SignRequest, Validated, Verdict


def decide(tx: Transaction, request: SignRequest) -> Verdict:
    """Decide one request; everything it changes is in the transaction."""
    if request.validate_only:
        return _validate(tx, request)
    earlier = tx.find(request.caller.san, request.request_id)
    return _reserve(tx, request, None) if earlier is None else _again(tx, request, earlier)


def _again(tx: Transaction, request: SignRequest, earlier: Request) -> Verdict:
    if not _same(earlier, request):
        return _conflict(tx, request, ServiceCode.REQUEST_ID_REUSED)
    if earlier.signature is not None:
        return _replay(tx, request, earlier, earlier.signature)
    if earlier.standing is not Standing.RESERVED:  # refused, or given back: nothing is reserved
        return _reserve(tx, request, earlier)
    if tx.now_ms < earlier.lease_ms:
        return _conflict(tx, request, ServiceCode.REQUEST_IN_PROGRESS)
    return _resume(tx, request, earlier)


def _same(earlier: Request, request: SignRequest) -> bool:
    """Whether a request is the one that its id is bound to.

    The format counts, because it gives the payload its meaning. A version that
    was left to the policy then may be named now, and the other way round.
    """
    bound = (earlier.key, earlier.format, earlier.payload_sha256)
    asked = (request.key, request.format, request.payload_sha256)
    return bound == asked and (not earlier.version or request.version in {None, earlier.version})


def _validate(tx: Transaction, request: SignRequest) -> Verdict:
    explanation = validate(tx, request)
    if isinstance(explanation, Reason):
        decision = Decision((explanation,))
        index = tx.add(entries.judged(tx, request, decision, "refused", event="validate"))
        return Refused(decision.reasons, index)
    outcome = "allowed" if explanation.decision.allowed else "refused"
    index = tx.add(entries.judged(tx, request, explanation.decision, outcome, event="validate"))
    key_version = entries.key_version(request.key, entries.settled_version(tx, request))
    return Validated(key_version, index, _policy_version(tx), explanation)


def _reserve(tx: Transaction, request: SignRequest, earlier: Request | None) -> Verdict:
    judged = judge(tx, request, tx.windows)
    if judged.permit is None:
        refused = _refuse(tx, request, judged, resumed=False)
        tx.put(_row(tx, request, Standing.REFUSED, refused.leaf_index), earlier)
        return refused
    charges = tx.windows.complete(judged.decision.charges)
    for charge in charges:
        tx.windows.charge(charge)
    approval = _approve(tx, request, judged, judged.permit)
    row = _row(tx, request, Standing.RESERVED, approval.decision, approval.version, charges)
    tx.put(row, earlier)
    return Granted(approval, approval.decision, row.policy_version)


def _resume(tx: Transaction, request: SignRequest, earlier: Request) -> Verdict:
    """Go on with an attempt that ended unknown: its charges are booked already."""
    judged = judge(tx, request, engine.Unused(), resumed=True)
    if judged.permit is None:
        return _refuse(tx, request, judged, resumed=True)
    approval = _approve(tx, request, judged, judged.permit, earlier)
    row = replace(
        earlier,
        version=approval.version,
        lease_ms=tx.lease_ms,
        decision=approval.decision,
        policy_version=_policy_version(tx),
        resumed=True,
    )
    tx.put(row, earlier)
    return Granted(approval, approval.decision, row.policy_version)


def _refuse(tx: Transaction, request: SignRequest, judged: Judgement, *, resumed: bool) -> Refused:
    hold, decision = judged.hold, judged.decision
    entry = entries.judged(tx, request, decision, "refused", hold=hold, resumed=resumed)
    return Refused(decision.reasons, tx.add(entry), hold and hold.name)


def _approve(
    tx: Transaction,
    request: SignRequest,
    judged: Judgement,
    permit: Permit,
    earlier: Request | None = None,
) -> Approval:
    """Record the grant; ``earlier`` is the reservation that a resumed attempt goes on with."""
    if judged.hold is not None:
        holding.use(tx, judged.hold)
    resumed, hold = earlier is not None, judged.hold
    entry = entries.judged(tx, request, judged.decision, "granted", hold=hold, resumed=resumed)
    index = tx.add(entry)
    approval = Approval(
        subject=(request.caller.san, request.request_id),
        key=permit.key.name,
        version=permit.key.version,
        algorithm=permit.key.algorithm,
        message=permit.decoded.message,
        digest=permit.decoded.digest,
        decision=index,
        reservation=index if earlier is None else earlier.reservation,
        further=permit.decoded.further,
        durable_intent=permit.key.durable_intent,
    )
    tx.approvals.append(approval)
    return approval


def _row(
    tx: Transaction,
    request: SignRequest,
    standing: Standing,
    index: int,
    version: int = 0,
    charges: tuple[Charge, ...] = (),
) -> Request:
    return Request(
        reservation=index,
        caller=request.caller.san,
        request_id=request.request_id,
        key=request.key,
        version=version,
        format=request.format,
        payload_sha256=request.payload_sha256,
        standing=standing,
        decided_ms=tx.now_ms,
        lease_ms=tx.lease_ms,
        decision=index,
        policy_version=_policy_version(tx),
        charges=charges,
    )


def _policy_version(tx: Transaction) -> int:
    return tx.policy.version if tx.policy else 0


def _conflict(tx: Transaction, request: SignRequest, code: ServiceCode) -> Conflict:
    members = entries.asked(request)
    index = tx.append(event="sign.decision", outcome=code.value.lower(), **members)
    return Conflict(code, index)


def _replay(tx: Transaction, request: SignRequest, earlier: Request, signature: bytes) -> Signed:
    key_version = entries.key_version(earlier.key, earlier.version)
    members = entries.asked(request) | {"key_version": key_version, "decision": earlier.decision}
    tx.append(event="sign.decision", outcome="replayed", **members)
    return Signed(key_version, signature, earlier.decision, earlier.policy_version, replayed=True)
