"""Who is calling: the SAN of the client certificate, never its common name."""

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from signer.errors import CallerNotAllowedError, UnauthenticatedError
from signer.model import Caller

Identify = Callable[[grpc.ServicerContext], Caller]


def identify(context: grpc.ServicerContext) -> Caller:
    """Return the peer whose certificate the TLS handshake verified.

    Raises:
        UnauthenticatedError: no certificate, or not exactly one usable SAN in it.
    """
    # The auth context's own list of SANs mixes their types, so that a DNS name
    # could pass for a URI: the certificate itself is read.
    pem = context.auth_context().get("x509_pem_cert")
    if not pem:
        raise UnauthenticatedError("a client certificate is required")
    return _caller(pem[0], context.peer())


def only(callers: frozenset[str]) -> Identify:
    """Identify, and refuse everybody who is not in ``callers``; nobody is when it is empty."""

    def check(context: grpc.ServicerContext) -> Caller:
        caller = identify(context)
        if caller.san not in callers:
            raise CallerNotAllowedError("this caller may not use this port", caller.san)
        return caller

    return check


def san_of(pem: bytes) -> str:
    """Return the name in a peer's certificate.

    Raises:
        UnauthenticatedError: see ``subject_name``.
    """
    return _read(pem)[0]


@lru_cache(maxsize=4096)
def _caller(pem: bytes, peer: str) -> Caller:
    san, fingerprint = _read(pem)
    # The transport percent-encodes the address, as in ipv6:%5B::1%5D:50000.
    return Caller(san, fingerprint, unquote(peer).partition(":")[2])


@lru_cache(maxsize=4096)
def _read(pem: bytes) -> tuple[str, str]:
    certificate = x509.load_pem_x509_certificate(pem)
    return subject_name(certificate), certificate.fingerprint(SHA256()).hex()


def subject_name(certificate: x509.Certificate) -> str:
    """Return the one URI SAN, else the one DNS SAN (SPIFFE X.509-SVID, section 2).

    Raises:
        UnauthenticatedError: there is none, or several, so that the choice would be ours.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise UnauthenticatedError("the client certificate has no SAN") from None
    for kind in (x509.UniformResourceIdentifier, x509.DNSName):
        found = names.get_values_for_type(kind)
        if len(found) > 1:
            raise UnauthenticatedError(f"the client certificate has {len(found)} SANs of one type")
        if found:
            return found[0]
    raise UnauthenticatedError("the client certificate has neither a URI nor a DNS SAN")
