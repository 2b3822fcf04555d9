"""Who a certificate says its bearer is."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from deploy.dev.ca import SERVER_NAMES, Authority, Identity, dns, uri
from signer.errors import UnauthenticatedError
from signer.model import Caller
from signer.rpc.peer import identify, subject_name

AUTHORITY = Authority()
WALLET = "spiffe://firm.example/wallet"


def certificate(names: Sequence[x509.GeneralName], common_name: str = "unused") -> x509.Certificate:
    """Issue a certificate with these SANs."""
    return x509.load_pem_x509_certificate(AUTHORITY.issue(names, common_name).certificate)


def test_the_uri_comes_before_the_dns_name() -> None:
    """A URI SAN is the name wherever it stands in the certificate."""
    assert subject_name(certificate([dns("wallet.firm.example"), uri(WALLET)])) == WALLET


def test_a_dns_name_serves_without_a_uri() -> None:
    """A DNS SAN is the name when there is no URI SAN."""
    assert subject_name(certificate([dns("wallet.firm.example")])) == "wallet.firm.example"


@pytest.mark.parametrize(
    "names",
    [
        (),
        (x509.RFC822Name("wallet@firm.example"),),
        (uri(WALLET), uri("spiffe://firm.example/other")),
        (dns("a.firm.example"), dns("b.firm.example")),
    ],
    ids=["none", "mail only", "two uris", "two dns names"],
)
def test_an_unclear_name_is_refused(names: Sequence[x509.GeneralName]) -> None:
    """Without exactly one usable SAN there is no caller, whatever the common name says."""
    with pytest.raises(UnauthenticatedError):
        subject_name(certificate(names, common_name=WALLET))


@contextmanager
def served(callers: list[Caller]) -> Iterator[str]:
    """Run a server that notes who calls, and return its address."""

    def note(_request: bytes, context: grpc.ServicerContext) -> bytes:
        callers.append(identify(context))
        return b""

    identity = AUTHORITY.issue(SERVER_NAMES)
    pair = [(identity.private_key, identity.certificate)]
    credentials = grpc.ssl_server_credentials(pair, AUTHORITY.certificate, require_client_auth=True)
    handlers: dict[str, Any] = {"Method": grpc.unary_unary_rpc_method_handler(note)}
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("any", handlers),))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


def call(address: str, identity: Identity) -> None:
    """Call twice over a connection of its own."""
    credentials = grpc.ssl_channel_credentials(
        AUTHORITY.certificate, identity.private_key, identity.certificate
    )
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(address, credentials, options) as channel:
        for _ in range(2):
            method: Any = channel.unary_unary("/any/Method")
            method(b"", timeout=30)


def test_each_connection_is_its_own_caller() -> None:
    """One certificate's connections have their own addresses, a renewed one its fingerprint."""
    callers: list[Caller] = []
    old, new = AUTHORITY.issue([uri(WALLET)]), AUTHORITY.issue([uri(WALLET)])
    with served(callers) as address:
        for identity in (old, old, new):
            call(address, identity)
    marks = [
        x509.load_pem_x509_certificate(each.certificate).fingerprint(SHA256()).hex()
        for each in (old, old, new)
    ]
    assert callers[::2] == callers[1::2]
    assert [each.certificate_sha256 for each in callers[::2]] == marks
    assert {each.san for each in callers} == {WALLET}
    assert len({each.address for each in callers}) == 3
    assert all(each.address.startswith("127.0.0.1:") for each in callers)
