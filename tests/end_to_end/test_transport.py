"""What only a real socket can show: TLS, peers, ports, health, limits of the transport."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from deploy.dev.ca import Authority, Identity, dns, uri
from deploy.dev.client import connect, reason_of
from deploy.dev.environment import CALLERS, Environment
from deploy.dev.serving import Serving
from signer.v1 import audit_service_pb2 as audit
from signer.v1 import audit_service_pb2_grpc as audit_rpc
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as rpc
from tests.end_to_end.conftest import Client, euros, sign_request

SERVING = health_pb2.HealthCheckResponse.SERVING


def refusal(channel: grpc.Channel) -> tuple[grpc.StatusCode, str]:
    """Ask for a signature and return the code and reason of the refusal."""
    with channel, pytest.raises(grpc.RpcError) as caught:
        rpc.SigningServiceStub(channel).SignPayload(sign_request(), timeout=5)
    return caught.value.code(), reason_of(caught.value)


def channel_of(here: Environment, identity: Identity | None, address: str) -> grpc.Channel:
    """Connect with a certificate, or with none."""
    credentials = grpc.ssl_channel_credentials(
        (here.directory / "ca.crt").read_bytes(),
        identity.private_key if identity else None,
        identity.certificate if identity else None,
    )
    return grpc.secure_channel(address, credentials)


@pytest.mark.parametrize("port", ["signing", "control"])
def test_only_tls_1_3_is_spoken(here: Environment, serving: Serving, port: str) -> None:
    """A client that speaks TLS 1.2 at most gets no connection on either port."""
    context = ssl.create_default_context(cafile=here.directory / "ca.crt")
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # RFC 5280, as Python 3.13 has it by itself
    context.load_cert_chain(here.directory / "payments.crt", here.directory / "payments.key")
    context.set_alpn_protocols(["h2"])
    host, _, number = getattr(serving, port).rpartition(":")

    def shake(version: ssl.TLSVersion) -> str | None:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = version
        with (
            socket.create_connection((host, int(number)), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            return tls.version()

    assert shake(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        shake(ssl.TLSVersion.TLSv1_2)


def test_no_certificate_is_no_connection(here: Environment, serving: Serving) -> None:
    """Without a client certificate nothing is answered."""
    code, _ = refusal(channel_of(here, None, serving.signing))
    assert code is grpc.StatusCode.UNAVAILABLE


def test_another_authority_is_no_connection(here: Environment, serving: Serving) -> None:
    """A certificate with the right name from another CA is not taken."""
    identity = Authority().issue([uri(CALLERS["payments"])])
    code, _ = refusal(channel_of(here, identity, serving.signing))
    assert code is grpc.StatusCode.UNAVAILABLE


def test_an_expired_certificate_is_no_connection(here: Environment, serving: Serving) -> None:
    """A certificate is not taken after its end."""
    identity = here.authority.issue([uri(CALLERS["payments"])], lifetime=timedelta(minutes=-1))
    code, _ = refusal(channel_of(here, identity, serving.signing))
    assert code is grpc.StatusCode.UNAVAILABLE


def test_the_common_name_means_nothing(here: Environment, serving: Serving) -> None:
    """The right common name with a wrong SAN is the wrong caller."""
    name = CALLERS["payments"]
    wrong = here.authority.issue([uri("spiffe://firm.example/other")], common_name=name[:64])
    assert refusal(channel_of(here, wrong, serving.signing)) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "CALLER_NOT_ALLOWED",
    )


def test_two_names_are_no_name(here: Environment, serving: Serving) -> None:
    """A certificate that could be two callers is neither."""
    both = here.authority.issue([uri(CALLERS["payments"]), uri(CALLERS["wallet"])])
    assert refusal(channel_of(here, both, serving.signing)) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "UNAUTHENTICATED",
    )


def test_a_dns_name_is_not_a_uri(here: Environment, serving: Serving) -> None:
    """A DNS SAN that spells a caller's URI is not that caller."""
    identity = here.authority.issue([dns("payments.firm.example")])
    code, reason = refusal(channel_of(here, identity, serving.signing))
    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


def test_each_port_has_callers_of_its_own(here: Environment, serving: Serving) -> None:
    """Officers can't sign, and signing callers can't read the audit log."""
    code, reason = refusal(connect(here.directory, "officer-a", serving.signing))
    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
    with connect(here.directory, "payments", serving.control) as channel:
        stub = audit_rpc.AuditServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.TailRecords(audit.TailRecordsRequest(stop_at_end=True), timeout=5))
        assert reason_of(caught.value) == "CALLER_NOT_ALLOWED"
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetCheckpoint(audit.GetCheckpointRequest(), timeout=5)
        assert reason_of(caught.value) == "CALLER_NOT_ALLOWED"


def test_the_services_are_on_their_own_ports(here: Environment, serving: Serving) -> None:
    """The signing service is not on the control port, nor the audit service on the other."""
    code, _ = refusal(connect(here.directory, "siem", serving.control))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    with connect(here.directory, "payments", serving.signing) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            audit_rpc.AuditServiceStub(channel).GetCheckpoint(audit.GetCheckpointRequest())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_both_ports_tell_their_health(here: Environment, serving: Serving) -> None:
    """Any bearer of a certificate may ask, for the port and for its service."""
    for address, service in (
        (serving.signing, "signer.v1.SigningService"),
        (serving.control, "signer.v1.AuditService"),
    ):
        with connect(here.directory, "stranger", address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            for name in ("", service):
                answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
                assert answer.status == SERVING


def reflected(channel: grpc.Channel) -> list[str]:
    """List the services that a port describes."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    answers = stub.ServerReflectionInfo(iter([request]), timeout=5)
    return [str(item.name) for item in next(answers).list_services_response.service]


def test_reflection_is_on_the_control_port_only(here: Environment, serving: Serving) -> None:
    """Officers can explore the control port; the signing port describes nothing."""
    with connect(here.directory, "officer-a", serving.control) as channel:
        assert "signer.v1.AuditService" in reflected(channel)
    with connect(here.directory, "payments", serving.control) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            reflected(channel)
        assert reason_of(caught.value) == "CALLER_NOT_ALLOWED"
    with connect(here.directory, "payments", serving.signing) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            reflected(channel)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_an_error_carries_its_reason_and_record(payments: Client) -> None:
    """Over the wire an error has its stable reason and where the audit log has it."""
    with pytest.raises(grpc.RpcError) as caught:
        payments.sign(sign_request(b"{"))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "PAYLOAD_MALFORMED"


def test_a_large_payload_is_refused_and_a_huge_message_too(payments: Client) -> None:
    """Over 256 KiB the service refuses; over the transport's bound, the transport."""
    with pytest.raises(grpc.RpcError) as caught:
        payments.sign(sign_request(bytes(256 * 1024 + 1)))
    assert reason_of(caught.value) == "PAYLOAD_TOO_LARGE"
    with pytest.raises(grpc.RpcError) as caught:
        payments.sign(sign_request(bytes(17 * 1024 * 1024)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_deadline_in_the_past_signs_nothing(payments: Client) -> None:
    """An answer that comes too late is none; the request id can be used again."""
    request = sign_request()
    with pytest.raises(grpc.RpcError) as caught:
        payments.sign(request, timeout=-1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert payments.sign(request).signature


def test_a_stream_answers_while_it_is_open(payments: Client) -> None:
    """Each request is answered before the next is sent."""
    requests = [sign_request() for _ in range(5)]
    answered = threading.Semaphore(1)

    def paced() -> Iterator[pb.StreamSignPayloadsRequest]:
        for request in requests:
            assert answered.acquire(timeout=10)
            yield pb.StreamSignPayloadsRequest(request=request)

    seen = []
    for response in payments.stub.StreamSignPayloads(paced(), timeout=20):
        seen.append(response.result.request_id)
        answered.release()
    assert seen == [request.request_id for request in requests]


def test_a_stream_that_never_reads_holds_up_nobody(payments: Client) -> None:
    """While one caller leaves its answers unread, others are served."""
    stop = threading.Event()

    def endless() -> Iterator[pb.StreamSignPayloadsRequest]:
        bad = euros()[:-1]  # refused, so that no window fills up
        while not stop.is_set():
            yield pb.StreamSignPayloadsRequest(request=sign_request(bad))

    stuck = payments.stub.StreamSignPayloads(endless())
    try:
        assert next(stuck).result.HasField("error")
        assert payments.sign(sign_request()).signature
    finally:
        stop.set()
        stuck.cancel()
