"""A throw-away certificate authority for development, demonstration and tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIFETIME = timedelta(days=30)
# A certificate of the very moment is "not yet valid" to a clock that is a little late.
BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, both PEM."""

    certificate: bytes
    private_key: bytes

    def write(self, directory: Path, name: str) -> None:
        """Write ``name.crt`` and ``name.key``, the key readable by its owner only."""
        (directory / f"{name}.crt").write_bytes(self.certificate)
        key = directory / f"{name}.key"
        key.touch(mode=0o600)
        key.write_bytes(self.private_key)


def uri(name: str) -> x509.GeneralName:
    """Return a URI SAN, such as a SPIFFE id."""
    return x509.UniformResourceIdentifier(name)


def dns(name: str) -> x509.GeneralName:
    """Return a DNS SAN."""
    return x509.DNSName(name)


SERVER_NAMES = (dns("localhost"), x509.IPAddress(ip_address("127.0.0.1")))


# What an authority's key is for, and nothing else (RFC 5280, section 4.2.1.3).
SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Issues P-256 certificates of the profile of RFC 5280, which strict clients ask for."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Development CA")])
        builder = self._builder(self._name, self._key.public_key(), LIFETIME)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        ).add_extension(SIGNS_CERTIFICATES, critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @classmethod
    def load(cls, directory: Path) -> Authority:
        """Return the authority whose files ``write`` wrote."""
        key = load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - written by this class
        return cls(key)

    def write(self, directory: Path) -> None:
        """Write ``ca.crt`` and ``ca.key``."""
        Identity(self.certificate, _pem(self._key)).write(directory, "ca")

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM."""
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        names: Sequence[x509.GeneralName],
        common_name: str = "not used",
        lifetime: timedelta = LIFETIME,
    ) -> Identity:
        """Issue a certificate for SANs; a negative lifetime gives an expired one."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = self._builder(subject, key.public_key(), lifetime)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Identity(certificate.public_bytes(Encoding.PEM), _pem(key))

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=public_key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - BACKDATED + min(lifetime, timedelta()),
            not_valid_after=now + lifetime,
        )
        own = x509.SubjectKeyIdentifier.from_public_key(public_key)
        issuers = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(own, critical=False).add_extension(issuers, critical=False)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
