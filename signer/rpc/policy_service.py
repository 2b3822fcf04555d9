"""The control port's methods about policies and root documents."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc

from policy.compare import Change, is_looser
from policy.telling import witnessed
from signer.errors import InvalidRequestError, VersionNotFoundError
from signer.ledger.rows import DocumentRow, Kind
from signer.policies import Policies, Stage, View
from signer.rpc.fields import page_size, timestamp
from signer.rpc.fields import reason as _reason
from signer.rpc.peer import Identify
from signer.rpc.status import answers
from signer.v1 import policy_service_pb2 as pb
from signer.v1 import policy_service_pb2_grpc

SHA256_BYTES = 32

_COLLECTIONS = {"policyVersions": Kind.POLICY, "rootVersions": Kind.ROOT}
_NAMES = {kind: name for name, kind in _COLLECTIONS.items()}
_KINDS = {
    Kind.POLICY: pb.DOCUMENT_KIND_POLICY,
    Kind.ROOT: pb.DOCUMENT_KIND_ROOT,
}
_NUMBER = "0|[1-9][0-9]{0,17}"
_VERSION = re.compile(rf"({'|'.join(_COLLECTIONS)})/(-|{_NUMBER})", re.ASCII)
_PROPOSAL = re.compile(rf"proposals/({_NUMBER})", re.ASCII)
_TOKEN = re.compile(_NUMBER, re.ASCII)
_FIRST_PAGE = (1 << 63) - 1  # above every number

T = TypeVar("T")


class PolicyService(policy_service_pb2_grpc.PolicyServiceServicer):
    """Takes officers' steps; who they are is their certificate's word."""

    def __init__(self, policies: Policies, identify: Identify) -> None:
        self._policies = policies
        self._identify = identify

    @answers
    def ProposePolicy(
        self, request: pb.ProposePolicyRequest, context: grpc.ServicerContext
    ) -> pb.PolicyProposal:
        """Propose a document, or only compare it."""
        caller = self._identify(context)
        kind, base = self._version(request.base_version, "base_version")
        reason = _reason(request.reason)
        if request.validate_only:
            changes = self._policies.changes(kind, base, request.document)
            return pb.PolicyProposal(
                kind=_KINDS[kind],
                base_version=_version_name(kind, base),
                looser=kind is Kind.ROOT or is_looser(changes),
                changes=map(_change, changes),
            )
        view = self._policies.propose(kind, base, request.document, caller.san, reason)
        return self._whole(view)

    @answers
    def GetPolicyProposal(
        self, request: pb.GetPolicyProposalRequest, context: grpc.ServicerContext
    ) -> pb.PolicyProposal:
        """Return a proposal."""
        self._identify(context)
        return self._whole(self._policies.get(_proposal(request.name)))

    @answers
    def ListPolicyProposals(
        self, request: pb.ListPolicyProposalsRequest, context: grpc.ServicerContext
    ) -> pb.ListPolicyProposalsResponse:
        """List proposals."""
        self._identify(context)
        page, token = _page(request, self._policies.recent, lambda view: view.proposal.number)
        return pb.ListPolicyProposalsResponse(proposals=map(_brief, page), next_page_token=token)

    @answers
    def ApprovePolicyProposal(
        self, request: pb.ApprovePolicyProposalRequest, context: grpc.ServicerContext
    ) -> pb.PolicyProposal:
        """Approve a proposal."""
        caller = self._identify(context)
        if len(request.document_sha256) != SHA256_BYTES:
            raise InvalidRequestError("document_sha256: required, 32 bytes")
        digest = request.document_sha256.hex()
        return self._whole(self._policies.approve(_proposal(request.name), digest, caller.san))

    @answers
    def RejectPolicyProposal(
        self, request: pb.RejectPolicyProposalRequest, context: grpc.ServicerContext
    ) -> pb.PolicyProposal:
        """Reject a proposal."""
        caller, reason = self._identify(context), _reason(request.reason)
        return self._whole(self._policies.reject(_proposal(request.name), caller.san, reason))

    @answers
    def ActivatePolicyProposal(
        self, request: pb.ActivatePolicyProposalRequest, context: grpc.ServicerContext
    ) -> pb.PolicyProposal:
        """Put a proposal in force."""
        caller = self._identify(context)
        return self._whole(self._policies.activate(_proposal(request.name), caller.san))

    @answers
    def RollBackPolicy(
        self, request: pb.RollBackPolicyRequest, context: grpc.ServicerContext
    ) -> pb.PolicyProposal:
        """Propose an earlier document."""
        caller, reason = self._identify(context), _reason(request.reason)
        kind, number = self._version(request.name, "name")
        return self._whole(self._policies.roll_back(kind, number, caller.san, reason))

    @answers
    def GetPolicyVersion(
        self, request: pb.GetPolicyVersionRequest, context: grpc.ServicerContext
    ) -> pb.PolicyVersion:
        """Return a version."""
        self._identify(context)
        kind, number = self._version(request.name, "name")
        row = self._policies.version(kind, number)
        found = _described(kind, row, self._policies.in_force(kind))
        found.document = row.document
        return found

    @answers
    def ListPolicyVersions(
        self, request: pb.ListPolicyVersionsRequest, context: grpc.ServicerContext
    ) -> pb.ListPolicyVersionsResponse:
        """List versions."""
        self._identify(context)
        kinds = {number: kind for kind, number in _KINDS.items()}
        if request.kind not in kinds:
            raise InvalidRequestError("kind: DOCUMENT_KIND_POLICY or DOCUMENT_KIND_ROOT")
        kind = kinds[request.kind]

        def read(before: int, limit: int) -> Sequence[DocumentRow]:
            return self._policies.versions(kind, before, limit)

        page, token = _page(request, read, lambda row: row.version)
        active = self._policies.in_force(kind)
        versions = [_described(kind, row, active) for row in page]
        return pb.ListPolicyVersionsResponse(versions=versions, next_page_token=token)

    def _version(self, name: str, field: str) -> tuple[Kind, int]:
        match = _VERSION.fullmatch(name)
        if not match:
            raise InvalidRequestError(f"{field}: not policyVersions/{{number}} or rootVersions/…")
        kind = _COLLECTIONS[match[1]]
        if match[2] != "-":
            return kind, int(match[2])
        active = self._policies.in_force(kind)
        if not active:
            raise VersionNotFoundError(f"no {kind} is in force")
        return kind, active

    def _whole(self, view: View) -> pb.PolicyProposal:
        found, made = _brief(view), view.proposal
        found.document = made.body
        found.changes.extend(map(_change, self._policies.shown(made)))
        return found


def _page(
    request: pb.ListPolicyProposalsRequest | pb.ListPolicyVersionsRequest,
    read: Callable[[int, int], Sequence[T]],
    number: Callable[[T], int],
) -> tuple[Sequence[T], str]:
    """Return a page and the token of the next; a token is the last number that was seen."""
    size = page_size(request.page_size)
    if request.page_token and not _TOKEN.fullmatch(request.page_token):
        raise InvalidRequestError("page_token: not one that this service gave out")
    found = read(int(request.page_token or _FIRST_PAGE), size + 1)
    more = len(found) > size
    return found[:size], str(number(found[size - 1])) if more else ""


def _brief(view: View) -> pb.PolicyProposal:
    made = view.proposal
    return pb.PolicyProposal(
        name=f"proposals/{made.number}",
        kind=_KINDS[made.kind],
        document_sha256=bytes.fromhex(made.sha256),
        base_version=_version_name(made.kind, made.base),
        author=made.author,
        reason=made.reason,
        looser=made.looser,
        state=_state(view.stage),
        approvers=view.approvers,
        required_approvals=view.needed,
        earliest_activate_time=timestamp(view.earliest_ms),
        create_time=timestamp(made.proposed_ms),
        expire_time=timestamp(made.expires_ms),
    )


def _described(kind: Kind, row: DocumentRow, active: int) -> pb.PolicyVersion:
    return pb.PolicyVersion(
        name=_version_name(kind, row.version),
        document_sha256=bytes.fromhex(row.sha256),
        activate_time=timestamp(row.activated_ms),
        active=row.version == active,
    )


def _change(change: Change) -> pb.PolicyChange:
    direction = pb.PolicyChange.Direction.Value(f"DIRECTION_{change.direction.name}")
    return pb.PolicyChange(
        path=change.path,
        direction=direction,
        description=change.description,
        example=witnessed(change.witness) if change.witness else (),
    )


def _state(stage: Stage) -> pb.PolicyProposal.State.ValueType:
    return pb.PolicyProposal.State.Value(f"STATE_{stage.name}")


def _version_name(kind: Kind, number: int) -> str:
    return f"{_NAMES[kind]}/{number}"


def _proposal(name: str) -> int:
    match = _PROPOSAL.fullmatch(name)
    if not match:
        raise InvalidRequestError("name: not of the form proposals/{number}")
    return int(match[1])
