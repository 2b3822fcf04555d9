"""The server's certificate, its key and the authorities of its callers."""

from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from signer.config import Tls, read
from signer.errors import ConfigError


def credentials(tls: Tls) -> grpc.ServerCredentials:
    """Return credentials that demand a client certificate of ``tls.client_ca``.

    Raises:
        ConfigError: a file can't be read or is not what it should be; names it.
    """
    # The transport itself would only say that it can't listen.
    key, chain, client_ca = map(read, (tls.private_key, tls.certificate, tls.client_ca))
    certificate = _certificates(tls.certificate, chain)[0]
    _certificates(tls.client_ca, client_ca)
    try:
        public_key = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError):
        raise ConfigError(f"{tls.private_key}: not an unencrypted PEM private key") from None
    if public_key != certificate.public_key():
        raise ConfigError(f"{tls.private_key}: not the key of {tls.certificate}")
    return grpc.ssl_server_credentials(
        [(key, chain)], root_certificates=client_ca, require_client_auth=True
    )


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigError(f"{path}: not a PEM certificate") from None
