"""The control port's methods about requests that wait for people."""

import re

import grpc

from signer.errors import InvalidRequestError
from signer.ledger import entries
from signer.ledger.duty import Duty
from signer.ledger.holding import Held
from signer.rpc.fields import page_size, reason, timestamp
from signer.rpc.peer import Identify
from signer.rpc.status import answers
from signer.v1 import approval_service_pb2 as pb
from signer.v1 import approval_service_pb2_grpc

SHA256_BYTES = 32
_NUMBER = "[1-9][0-9]{0,17}"
_NAME = re.compile(rf"approvals/({_NUMBER})", re.ASCII)
_TOKEN = re.compile(_NUMBER, re.ASCII)


class ApprovalService(approval_service_pb2_grpc.ApprovalServiceServicer):
    """Shows each approver what it may decide on; who it is is its certificate's word."""

    def __init__(self, duty: Duty, identify: Identify) -> None:
        self._duty = duty
        self._identify = identify

    @answers
    def GetApproval(
        self, request: pb.GetApprovalRequest, context: grpc.ServicerContext
    ) -> pb.Approval:
        """Return a held request."""
        caller = self._identify(context)
        return _approval(self._duty.hold(_number(request.name), caller.san))

    @answers
    def ListApprovals(
        self, request: pb.ListApprovalsRequest, context: grpc.ServicerContext
    ) -> pb.ListApprovalsResponse:
        """List what the caller may decide on."""
        caller, size = self._identify(context), page_size(request.page_size)
        if request.page_token and not _TOKEN.fullmatch(request.page_token):
            raise InvalidRequestError("page_token: not one that this service gave out")
        after = int(request.page_token or 0)
        found = [held for held in self._duty.holds(caller.san) if held.hold.number > after]
        token = str(found[size - 1].hold.number) if len(found) > size else ""
        return pb.ListApprovalsResponse(
            approvals=map(_approval, found[:size]), next_page_token=token
        )

    @answers
    def ApproveRequest(
        self, request: pb.ApproveRequestRequest, context: grpc.ServicerContext
    ) -> pb.Approval:
        """Approve a held request."""
        caller = self._identify(context)
        if len(request.payload_sha256) != SHA256_BYTES:
            raise InvalidRequestError("payload_sha256: required, 32 bytes")
        number = _number(request.name)
        return _approval(self._duty.approve(number, caller, request.payload_sha256))

    @answers
    def RejectRequest(
        self, request: pb.RejectRequestRequest, context: grpc.ServicerContext
    ) -> pb.Approval:
        """Reject a held request."""
        caller, why = self._identify(context), reason(request.reason)
        return _approval(self._duty.reject(_number(request.name), caller, why))


def _number(name: str) -> int:
    match = _NAME.fullmatch(name)
    if not match:
        raise InvalidRequestError("name: not of the form approvals/{approval}")
    return int(match[1])


def _approval(held: Held) -> pb.Approval:
    hold, state, tally = held
    return pb.Approval(
        name=hold.name,
        key_version=entries.key_version(hold.key, hold.version),
        caller=hold.caller,
        request_id=hold.request_id,
        summary=hold.words,
        payload_format=hold.format,
        payload_sha256=hold.payload_sha256,
        state=pb.Approval.State.Value(f"STATE_{state.name}"),
        approvers=sorted(tally.given) if tally else (),
        required_approvals=tally.quorum if tally else 0,
        create_time=timestamp(hold.held_ms),
        expire_time=timestamp(hold.expires_ms),
    )
