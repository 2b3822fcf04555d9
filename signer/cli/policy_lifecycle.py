"""``signgate policy propose`` and the steps after it, against a running service."""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from policy.words import utc
from signer.cli.control import CallError, Connection, connected
from signer.cli.policy_file import text
from signer.codes import Code
from signer.errors import ConfigError
from signer.v1 import policy_service_pb2 as pb
from signer.v1 import policy_service_pb2_grpc

PAGE = 1000
_SIGNS = {
    pb.PolicyChange.DIRECTION_LOOSER: "+",
    pb.PolicyChange.DIRECTION_TIGHTER: "-",
    pb.PolicyChange.DIRECTION_EQUAL: "=",
}
_DIGEST = re.compile("[0-9a-fA-F]{64}", re.ASCII)

Name = Annotated[str, typer.Argument(help="The proposal: proposals/7, or 7.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]
Root = Annotated[bool, typer.Option("--root", help="The root document instead of the policy.")]


@connected
def propose(
    connection: Connection,
    path: Annotated[
        Path, typer.Argument(help="The document, or a directory with policy.toml or root.toml.")
    ],
    reason: Reason,
    root: Root = False,
    base: Annotated[
        str | None, typer.Option(help="The version it replaces; the one in force, without it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what changes.")] = False,
) -> None:
    """Propose a document and show what it changes, + looser, - tighter, = the same.

    What is proven to allow nothing new is in force at once. Repeating it changes
    nothing; the exit code is 1 if the proposal was rejected.
    """
    collection = "rootVersions" if root else "policyVersions"
    file = path / ("root.toml" if root else "policy.toml") if path.is_dir() else path
    request = pb.ProposePolicyRequest(
        document=text(file),
        base_version=base or _in_force(connection, collection),
        reason=reason,
        validate_only=dry_run,
    )
    try:
        proposal = connection.call(_stub(connection).ProposePolicy, request)
    except CallError as error:
        if error.reason != Code.DOCUMENT_UNCHANGED:
            raise
        typer.echo(f"nothing to propose: {request.base_version}, in force, is this document")
        return
    _print(_changes(proposal) if dry_run else _whole(proposal))
    if proposal.state == pb.PolicyProposal.STATE_REJECTED:
        raise typer.Exit(1)


@connected
def proposals(connection: Connection) -> None:
    """List the newest proposals."""
    request = pb.ListPolicyProposalsRequest(page_size=PAGE)
    listed = connection.call(_stub(connection).ListPolicyProposals, request)
    _print(_line(proposal) for proposal in listed.proposals)


@connected
def show(
    connection: Connection,
    name: Annotated[str, typer.Argument(help="proposals/7, or policyVersions/3, rootVersions/-.")],
    document: Annotated[
        bool, typer.Option("--document", help="Print the document, byte for byte.")
    ] = False,
) -> None:
    """Show a proposal with what it changes, or a version's document."""
    if "Versions/" in name:
        request = pb.GetPolicyVersionRequest(name=name)
        version = connection.call(_stub(connection).GetPolicyVersion, request)
        typer.echo(version.document if document else _version(version), nl=not document)
        return
    found = _get(connection, name)
    if document:
        typer.echo(found.document, nl=False)
    else:
        _print(_whole(found))


@connected
def approve(
    connection: Connection,
    name: Name,
    file: Annotated[Path | None, typer.Option(help="The document that you read.")] = None,
    digest: Annotated[
        str | None, typer.Option("--sha256", help="Its SHA-256, in hex, instead.")
    ] = None,
) -> None:
    """Approve the document that you read; exactly one of --file and --sha256 says which."""
    request = pb.ApprovePolicyProposalRequest(
        name=_proposal(name), document_sha256=_read(file, digest)
    )
    _print(_whole(connection.call(_stub(connection).ApprovePolicyProposal, request)))


@connected
def reject(connection: Connection, name: Name, reason: Reason) -> None:
    """Reject a proposal for good, or withdraw your own."""
    request = pb.RejectPolicyProposalRequest(name=_proposal(name), reason=reason)
    _print([_line(connection.call(_stub(connection).RejectPolicyProposal, request))])


@connected
def activate(connection: Connection, name: Name) -> None:
    """Put a proposal in force that has its approvals and has waited."""
    request = pb.ActivatePolicyProposalRequest(name=_proposal(name))
    _print([_line(connection.call(_stub(connection).ActivatePolicyProposal, request))])


@connected
def rollback(
    connection: Connection,
    name: Annotated[str, typer.Argument(help="policyVersions/3, or rootVersions/1.")],
    reason: Reason,
) -> None:
    """Propose the document of an earlier version again, under the same rules."""
    request = pb.RollBackPolicyRequest(name=name, reason=reason)
    _print(_whole(connection.call(_stub(connection).RollBackPolicy, request)))


@connected
def versions(connection: Connection, root: Root = False) -> None:
    """List the newest versions; * marks the one in force."""
    kind = pb.DOCUMENT_KIND_ROOT if root else pb.DOCUMENT_KIND_POLICY
    request = pb.ListPolicyVersionsRequest(kind=kind, page_size=PAGE)
    listed = connection.call(_stub(connection).ListPolicyVersions, request)
    _print(_version(version) for version in listed.versions)


def _stub(connection: Connection) -> policy_service_pb2_grpc.PolicyServiceStub:
    return policy_service_pb2_grpc.PolicyServiceStub(connection.channel)


def _get(connection: Connection, name: str) -> pb.PolicyProposal:
    request = pb.GetPolicyProposalRequest(name=_proposal(name))
    return connection.call(_stub(connection).GetPolicyProposal, request)


def _in_force(connection: Connection, collection: str) -> str:
    """Return the name of the version in force; of number 0 if there is none."""
    request = pb.GetPolicyVersionRequest(name=f"{collection}/-")
    try:
        return connection.call(_stub(connection).GetPolicyVersion, request).name
    except CallError as error:
        if error.reason != Code.VERSION_NOT_FOUND:
            raise
        return f"{collection}/0"


def _proposal(name: str) -> str:
    return f"proposals/{name}" if name.isdecimal() else name


def _read(file: Path | None, digest: str | None) -> bytes:
    if (file is None) == (digest is None):
        raise ConfigError("say what you read: exactly one of --file and --sha256")
    if file is not None:
        return sha256(text(file).encode()).digest()
    if not digest or not _DIGEST.fullmatch(digest):
        raise ConfigError("--sha256: not 64 hex digits, as sha256sum prints them")
    return bytes.fromhex(digest)


def _whole(proposal: pb.PolicyProposal) -> Iterator[str]:
    yield from _changes(proposal)
    yield _line(proposal)
    yield f"  because: {proposal.reason}"
    yield f"  sha256 {proposal.document_sha256.hex()}"
    if proposal.HasField("earliest_activate_time"):
        yield f"  can be activated from {_time(proposal.earliest_activate_time)}"
    yield f"  expires at {_time(proposal.expire_time)}"


def _changes(proposal: pb.PolicyProposal) -> Iterator[str]:
    for change in proposal.changes:
        yield f"{_SIGNS[change.direction]} {change.path}: {change.description}"
        yield from (f"      {line}" for line in change.example)


def _line(proposal: pb.PolicyProposal) -> str:
    state = pb.PolicyProposal.State.Name(proposal.state).removeprefix("STATE_").lower()
    direction = "looser" if proposal.looser else "not looser"
    approvals = f"{len(proposal.approvers)} of {proposal.required_approvals} approvals"
    by = f" ({', '.join(proposal.approvers)})" if proposal.approvers else ""
    return (
        f"{proposal.name}: {state}, {direction}, {approvals}{by},"
        f" replaces {proposal.base_version}, by {proposal.author}"
    )


def _version(version: pb.PolicyVersion) -> str:
    mark = "*" if version.active else " "
    since = _time(version.activate_time)
    return f"{mark} {version.name} since {since}, sha256 {version.document_sha256.hex()}"


def _time(stamp: Timestamp) -> str:
    return utc(stamp.ToMilliseconds())


def _print(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        typer.echo(line)


COMMANDS = (propose, proposals, show, approve, reject, activate, rollback, versions)
