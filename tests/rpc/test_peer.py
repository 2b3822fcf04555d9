"""Who a certificate says its bearer is."""

from collections.abc import Sequence

import pytest
from cryptography import x509

from deploy.dev.ca import Authority, dns, uri
from signer.errors import UnauthenticatedError
from signer.rpc.peer import subject_name

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
