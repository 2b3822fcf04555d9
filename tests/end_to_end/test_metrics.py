"""The metrics of a running signer are those of the page, and tell what happened."""

import re
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.dev.environment import Environment
from deploy.dev.serving import Serving
from signer.metrics.families import FAMILIES
from signer.v1 import signing_service_pb2 as pb
from tests.end_to_end.conftest import Client, euros, sign_request
from tests.end_to_end.test_kills import killed, leaves
from tests.end_to_end.test_workers import wait_for

__all__ = ["killed"]  # the fixture: an installation with a wide window

PAGE = Path(__file__).parents[2] / "deploy" / "docs" / "metrics.md"


def scrape(server: Serving) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return the samples of a server by their names."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as response:
        for family in text_string_to_metric_families(response.read().decode()):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, float(sample.value)))
    return found


def total(found: dict[str, list[tuple[dict[str, str], float]]], name: str, **labels: str) -> float:
    """Sum the samples of a name that have certain labels."""
    return sum(value for given, value in found.get(name, []) if labels.items() <= given.items())


@pytest.fixture
def metered(killed: Environment, tmp_path: Path) -> Environment:
    """A copy of the installation with metrics and fixed ports."""
    here = killed.copy(tmp_path / "metered")
    here.serve_metrics()
    here.fix_ports()
    return here


def test_the_page_lists_every_metric() -> None:
    """The table on the page is the table in the code, row by row."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?)\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert [
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in rows
    ] == [(family.name, family.kind, family.labels, family.help) for family in FAMILIES]


def test_metrics_tell_what_happened(metered: Environment) -> None:
    """After signatures, a refusal and a failed call what the page lists of that has a value."""
    with Serving(metered) as server:
        client = Client(metered.directory, "payments", server.signing)
        for _ in range(3):
            client.sign(sign_request())
        replayed = sign_request()
        client.sign(replayed)
        client.sign(replayed)
        for request in (sign_request(key="no-such-key"), sign_request(euros(2000))):
            with pytest.raises(grpc.RpcError):
                client.sign(request)
        with pytest.raises(grpc.RpcError):
            client.sign(sign_request(request_id=""))
        streamed = pb.StreamSignPayloadsRequest(request=sign_request())
        assert len(list(client.stub.StreamSignPayloads(iter([streamed]), timeout=10))) == 1
        unknown: Any = client.channel.unary_unary("/signer.v1.SigningService/NoSuchMethod")
        with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
            unknown(b"", timeout=10)
        client.channel.close()
        wait_for(lambda: total(scrape(server), "signgate_canaries_total", outcome="signed") == 1)
        wait_for(lambda: total(scrape(server), "signgate_audit_published_leaves") > 5)
        found = scrape(server)
    method, stream = (
        f"signer.v1.SigningService/{name}" for name in ("SignPayload", "StreamSignPayloads")
    )
    for name, expected, labels in (
        ("signgate_payloads_total", 5, {"key": "payments", "outcome": "SIGNED"}),
        ("signgate_payloads_total", 1, {"key": "payments", "outcome": "REPLAYED"}),
        ("signgate_payloads_total", 1, {"key": "unknown", "outcome": "KEY_DENIED"}),
        ("signgate_payloads_total", 1, {"key": "payments", "outcome": "LIMIT_PER_REQUEST"}),
        ("signgate_payloads_total", 1, {"key": "payments", "outcome": "INVALID_REQUEST"}),
        ("signgate_calls_total", 5, {"method": method, "code": "OK"}),
        ("signgate_calls_total", 2, {"method": method, "code": "PERMISSION_DENIED"}),
        ("signgate_calls_total", 1, {"method": method, "code": "INVALID_ARGUMENT"}),
        ("signgate_call_seconds_count", 8, {"method": method}),
        ("signgate_calls_in_flight", 0, {"method": method}),
        ("signgate_calls_total", 1, {"method": stream, "code": "OK"}),
        ("signgate_calls_total", 0, {"method": "signer.v1.SigningService/NoSuchMethod"}),
        ("signgate_hsm_total_seconds_count", 5, {"key": "payments", "slot": "signgate"}),
        ("signgate_hsm_sessions", 4, {"slot": "signgate"}),
        ("signgate_hsm_breaker", 1, {"slot": "signgate", "state": "up"}),
        ("signgate_hsm_breaker", 1, {}),
        ("signgate_ledger_stopped", 0, {}),
        ("signgate_process_up", 1, {"process": "signer"}),
    ):
        assert total(found, name, **labels) == expected, (name, labels)
    # The ledger's opening and its policy came before the seven payloads.
    assert total(found, "signgate_ledger_batch_requests_sum") >= 7
    assert total(found, "signgate_ledger_commit_seconds_count") >= 7
    served = {re.sub("_(bucket|count|sum|created)$", "", name) for name in found}
    never_here = {"signgate_hsm_errors_total", "signgate_shed_calls_total"}
    assert served == {family.name for family in FAMILIES} - never_here


def test_the_audit_log_has_the_canary(metered: Environment) -> None:
    """Its approval and its signature are records of their own, by the slot that signed."""
    with Serving(metered) as server:
        wait_for(lambda: total(scrape(server), "signgate_canaries_total", outcome="signed") == 1)
    records = leaves(metered.directory / "ledger.db").values()
    canaries = [record for record in records if record["event"].startswith("canary.")]
    assert [(record["event"], record["outcome"]) for record in canaries] == [
        ("canary.decision", "granted"),
        ("canary.outcome", "signed"),
    ]
    assert {record["detail"] for record in canaries} == {"slot signgate"}
    assert canaries[1]["decision"] == canaries[0]["index"]


def test_metrics_of_several_processes(metered: Environment) -> None:
    """One address tells of all processes, and what they signed adds up."""
    with Serving(metered, "--workers=2") as server:
        wait_for(lambda: total(scrape(server), "signgate_process_up") == 3)
        for _ in range(8):
            client = Client(metered.directory, "payments", server.signing)
            client.sign_in_the_end(sign_request())
            client.channel.close()
        found = scrape(server)
    up = {labels["process"] for labels, value in found["signgate_process_up"] if value == 1}
    assert up == {"control", "signing-0", "signing-1"}
    assert total(found, "signgate_payloads_total", outcome="SIGNED") == 8
    processes = {labels["process"] for labels, _ in found["signgate_audit_leaves"]}
    assert processes == {"control"}
