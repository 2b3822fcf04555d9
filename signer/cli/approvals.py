"""``signgate approvals``: what waits for you, in the words of the decoder, and your answer."""

from collections.abc import Iterator
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from policy.words import utc
from signer.cli.control import Connection, connected
from signer.cli.policy_lifecycle import Reason
from signer.errors import ConfigError
from signer.v1 import approval_service_pb2 as pb
from signer.v1.approval_service_pb2_grpc import ApprovalServiceStub

PAGE = 1000
SHA256_HEX = 64

app = typer.Typer(help="Decide on requests that wait for approvals.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The request: approvals/7, or 7.")]


@app.callback()
def _group() -> None:
    """Decide on requests that wait for approvals."""


@app.command("list")
@connected
def list_approvals(connection: Connection) -> None:
    """List the requests that you may decide on, oldest first."""
    token = ""
    while True:
        request = pb.ListApprovalsRequest(page_size=PAGE, page_token=token)
        page = connection.call(_stub(connection).ListApprovals, request)
        for approval in page.approvals:
            typer.echo(f"{_line(approval)}: {approval.summary}")
        token = page.next_page_token
        if not token:
            return


@app.command()
@connected
def show(connection: Connection, name: Name) -> None:
    """Show a request: who asks, what it does, and the hash to approve."""
    request = pb.GetApprovalRequest(name=_name(name))
    _print(connection.call(_stub(connection).GetApproval, request))


@app.command()
@connected
def approve(
    connection: Connection,
    name: Name,
    sha256: Annotated[str, typer.Option(help="The payload's SHA-256, as it was shown to you.")],
) -> None:
    """Approve the payload that you were shown."""
    if len(sha256) != SHA256_HEX or not sha256.isascii() or not sha256.isalnum():
        raise ConfigError("--sha256: not 64 hex digits, as `signgate approvals show` prints them")
    try:
        digest = bytes.fromhex(sha256)
    except ValueError:
        raise ConfigError("--sha256: not 64 hex digits") from None
    request = pb.ApproveRequestRequest(name=_name(name), payload_sha256=digest)
    _print(connection.call(_stub(connection).ApproveRequest, request))


@app.command()
@connected
def reject(connection: Connection, name: Name, reason: Reason) -> None:
    """Reject a request for good."""
    request = pb.RejectRequestRequest(name=_name(name), reason=reason)
    _print(connection.call(_stub(connection).RejectRequest, request))


def _stub(connection: Connection) -> ApprovalServiceStub:
    return ApprovalServiceStub(connection.channel)


def _name(name: str) -> str:
    return f"approvals/{name}" if name.isdecimal() else name


def _line(approval: pb.Approval) -> str:
    state = pb.Approval.State.Name(approval.state).removeprefix("STATE_").lower()
    count = f"{len(approval.approvers)} of {approval.required_approvals} approvals"
    return f"{approval.name} ({state}, {count})"


def _print(approval: pb.Approval) -> None:
    typer.echo("\n".join(_whole(approval)))


def _whole(approval: pb.Approval) -> Iterator[str]:
    yield _line(approval)
    yield f"  {approval.summary}"
    yield f"  asked for by {approval.caller}, request {approval.request_id}"
    yield f"  with {approval.key_version}, as {approval.payload_format}"
    yield f"  sha256 {approval.payload_sha256.hex()}"
    yield f"  approved by {', '.join(approval.approvers) or 'nobody'}"
    yield f"  held at {_time(approval.create_time)}, expires at {_time(approval.expire_time)}"


def _time(stamp: Timestamp) -> str:
    return utc(stamp.ToMilliseconds())
