"""``signgate policy propose`` and the steps after it, against a served ledger."""

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from typer.testing import CliRunner, Result

from deploy.dev.client import connect, reason_of
from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.cli.commands import app
from signer.errors import ConfigError
from signer.v1 import policy_service_pb2 as pb
from signer.v1 import policy_service_pb2_grpc as rpc
from tests.end_to_end.conftest import Client, euros, refused, run_as, sign_request

Signgate = Callable[..., Result]
LIMIT = '"2500.00"'


@pytest.fixture(scope="module")
def office(
    here: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Environment, Serving]]:
    """A server of its own, whose policy the tests below change one after the other."""
    copied = here.copy(tmp_path_factory.mktemp("office"))
    with Serving(copied) as server:
        yield copied, server


@pytest.fixture
def signgate(office: tuple[Environment, Serving]) -> Signgate:
    """Run ``signgate policy`` with somebody's certificate."""
    here, server = office

    def run(who: str, *arguments: str) -> Result:
        return run_as(here, server, who, "policy", *arguments)

    return run


@pytest.fixture
def changed(office: tuple[Environment, Serving], tmp_path: Path) -> Callable[[str, str], Path]:
    """Write the first policy, changed, into a directory of its own."""

    def write(old: str, new: str) -> Path:
        text = (office[0].directory / "policy.toml").read_text(encoding="utf-8")
        assert text.count(old) >= 1
        (tmp_path / "policy.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
        return tmp_path

    return write


def number(result: Result) -> str:
    """Return the number of the proposal that a command printed."""
    found = re.search(r"^proposals/([0-9]+): ", result.output, re.MULTILINE)
    assert found, result.output
    return found[1]


def digest_of(result: Result) -> str:
    """Return the hash of the document that a command printed."""
    found = re.search(r"^  sha256 ([0-9a-f]{64})$", result.output, re.MULTILINE)
    assert found, result.output
    return found[1]


def test_from_a_proposal_to_its_activation(
    signgate: Signgate, changed: Callable[[str, str], Path]
) -> None:
    """A job proposes, an officer approves what was read, another puts it in force."""
    directory = changed(LIMIT, '"5000.00"')
    reason = ("--reason", "more suppliers")
    dry = signgate("ci", "propose", str(directory), *reason, "--dry-run")
    looser, example = dry.output.splitlines()[:2]
    assert looser.startswith("+ keys.payments.limits.EUR.per_request: rises from ")
    assert example.startswith("      e.g. spiffe://firm.example/")
    first = signgate("ci", "propose", str(directory), *reason)
    again = signgate("ci", "propose", str(directory / "policy.toml"), *reason)
    assert first.output == again.output
    assert "pending, looser, 0 of 1 approvals, replaces policyVersions/1" in first.output
    name = number(first)
    assert "QUORUM_REQUIRED" in refused(signgate("officer-b", "activate", name))
    other = "0" * 64
    assert "PROPOSAL_MISMATCH" in refused(signgate("officer-b", "approve", name, "--sha256", other))
    approved = signgate("officer-b", "approve", name, "--file", str(directory / "policy.toml"))
    assert "approved, looser, 1 of 1 approvals (spiffe://firm.example/officer/b)" in approved.output
    shown = signgate("officer-c", "show", name).output
    assert example in shown
    assert "can be activated from " in shown
    assert "activated" in signgate("officer-c", "activate", f"proposals/{name}").output
    versions = signgate("siem", "versions").output.splitlines()
    assert [line[:18] for line in versions] == ["* policyVersions/2", "  policyVersions/1"]
    unchanged = signgate("ci", "propose", str(directory), *reason)
    assert unchanged.exit_code == 0
    assert "nothing to propose: policyVersions/2, in force," in unchanged.output
    text = (directory / "policy.toml").read_text(encoding="utf-8")
    assert signgate("ci", "show", "policyVersions/-", "--document").output == text
    assert sha256(text.encode()).hexdigest() in signgate("ci", "show", "policyVersions/2").output


def test_tightening_and_back(
    office: tuple[Environment, Serving], signgate: Signgate, changed: Callable[[str, str], Path]
) -> None:
    """One officer tightens at once, which the next request meets; the way back takes two."""
    here, server = office
    directory = changed(LIMIT, '"0.50"')
    tightened = signgate("officer-a", "propose", str(directory), "--reason", "an incident")
    assert "activated, not looser" in tightened.output
    client = Client(here.directory, "payments", server.signing)
    with client.channel, pytest.raises(grpc.RpcError) as caught:
        client.sign(sign_request(euros(51)))
    assert reason_of(caught.value) == "LIMIT_PER_REQUEST"
    back = signgate("officer-a", "rollback", "policyVersions/1", "--reason", "it is over")
    assert "pending, looser" in back.output
    own = signgate("officer-a", "approve", number(back), "--sha256", digest_of(back))
    assert "OWN_PROPOSAL" in refused(own)
    rejected = signgate("officer-c", "reject", number(back), "--reason", "not yet")
    assert "rejected" in rejected.output
    listed = signgate("siem", "proposals").output.splitlines()
    assert listed[0] == rejected.output.strip()
    again = signgate("officer-b", "rollback", "policyVersions/1", "--reason", "once more")
    assert (again.exit_code, number(again)) == (0, number(back))
    text = signgate("siem", "show", "policyVersions/1", "--document").output
    (directory / "policy.toml").write_text(text, encoding="utf-8")
    job = signgate("ci", "propose", str(directory), "--reason", "as in the repository")
    assert (job.exit_code, number(job)) == (1, number(back))


def test_the_root_document_takes_its_own_quorum(
    office: tuple[Environment, Serving], signgate: Signgate, tmp_path: Path
) -> None:
    """Two others agree before the officers change."""
    text = (office[0].directory / "root.toml").read_text(encoding="utf-8")
    slower = text.replace('# waiting_time = "1h"', 'waiting_time = "1s"')
    (tmp_path / "root.toml").write_text(slower, encoding="utf-8")
    made = signgate("officer-a", "propose", "--root", str(tmp_path), "--reason", "time to look")
    assert "- waiting_time: changes from 0 ms to 1000 ms" in made.output
    assert "0 of 2 approvals, replaces rootVersions/1" in made.output
    for officer in ("officer-b", "officer-c"):
        signgate(officer, "approve", number(made), "--file", str(tmp_path / "root.toml"))
    assert "activated" in signgate("officer-a", "activate", number(made)).output
    assert "* rootVersions/2" in signgate("siem", "versions", "--root").output


@pytest.mark.parametrize(
    ("who", "arguments", "expected"),
    [
        ("siem", ("propose", "{policy}", "--reason", "x"), "OFFICER_REQUIRED: only whom"),
        ("stranger", ("versions",), "CALLER_NOT_ALLOWED"),
        ("officer-a", ("propose", "{root}", "--reason", "x"), "DOCUMENT_INVALID: keys: is requ"),
        ("officer-a", ("propose", "{policy}", "--reason", ""), "INVALID_REQUEST: reason: requ"),
        ("officer-a", ("show", "proposals/999"), "PROPOSAL_NOT_FOUND: there is no proposal 999"),
        ("officer-a", ("show", "proposals/x"), "INVALID_REQUEST: name: not of the form"),
        ("officer-a", ("show", "policyVersions/999"), "VERSION_NOT_FOUND"),
        ("officer-a", ("rollback", "keys/1", "--reason", "x"), "INVALID_REQUEST: name: not pol"),
        (
            "officer-a",
            ("propose", "{policy}", "--reason", "x", "--base", "policyVersions/999"),
            "VERSION_NOT_FOUND: there is no version 999",
        ),
    ],
)
def test_a_refusal_is_one_line(
    office: tuple[Environment, Serving],
    signgate: Signgate,
    who: str,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    """It has the stable reason, and what would be right."""
    directory = office[0].directory
    paths = {"policy": directory / "policy.toml", "root": directory / "root.toml"}
    ended = signgate(who, *(part.format(**paths) for part in arguments))
    assert refused(ended).startswith(expected), refused(ended)


@pytest.mark.parametrize(
    "arguments",
    [(), ("--sha256", "00"), ("--sha256", "0" * 64, "--file", "README.md")],
)
def test_an_approval_says_what_was_read(signgate: Signgate, arguments: tuple[str, ...]) -> None:
    """Without exactly one well-formed account of it nothing is sent."""
    ended = signgate("officer-a", "approve", "1", *arguments)
    assert isinstance(ended.exception, ConfigError)


def test_an_unreachable_port_is_one_line(tmp_path: Path, here: Environment) -> None:
    """It names the status that gRPC ends with."""
    directory = here.directory
    options = {"ca": "ca.crt", "certificate": "ci.crt", "private-key": "ci.key"}
    named = [f"--{name}={directory / file}" for name, file in options.items()]
    command = ["policy", "versions", "--address=127.0.0.1:1", *named]
    assert refused(CliRunner().invoke(app, command)).startswith("UNAVAILABLE: ")


@pytest.mark.parametrize(
    ("method", "request_", "expected"),
    [
        ("ListPolicyVersions", pb.ListPolicyVersionsRequest(), "kind: "),
        ("ListPolicyProposals", pb.ListPolicyProposalsRequest(page_size=1001), "page_size: "),
        ("ListPolicyProposals", pb.ListPolicyProposalsRequest(page_token="x"), "page_token: "),
        (
            "ApprovePolicyProposal",
            pb.ApprovePolicyProposalRequest(name="proposals/1", document_sha256=b"short"),
            "document_sha256: ",
        ),
    ],
)
def test_a_malformed_request_names_its_field(
    office: tuple[Environment, Serving], method: str, request_: Message, expected: str
) -> None:
    """What the command line can't send is refused all the same."""
    here, server = office
    with connect(here.directory, "officer-a", server.control) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            getattr(rpc.PolicyServiceStub(channel), method)(request_, timeout=10)
        assert reason_of(caught.value) == "INVALID_REQUEST"
        assert str(caught.value.details()).startswith(expected)


def test_pages_follow_each_other(
    office: tuple[Environment, Serving], signgate: Signgate, changed: Callable[[str, str], Path]
) -> None:
    """Page after page gives every proposal once, newest first."""
    here, server = office
    for comment in ("# one\n", "# two\n"):
        path = changed("schema = 1", f"{comment}schema = 1\n[assets.XXX]\ndecimals = 2")
        signgate("officer-a", "propose", str(path), "--reason", "a page")
    with connect(here.directory, "siem", server.control) as channel:
        stub = rpc.PolicyServiceStub(channel)
        names: list[str] = []
        token = ""
        while not names or token:
            request = pb.ListPolicyProposalsRequest(page_size=1, page_token=token)
            page = stub.ListPolicyProposals(request, timeout=10)
            names += [proposal.name for proposal in page.proposals]
            token = page.next_page_token
        everything = stub.ListPolicyProposals(pb.ListPolicyProposalsRequest(), timeout=10)
        assert names == [proposal.name for proposal in everything.proposals]
        assert len(set(names)) == len(names) >= 2
