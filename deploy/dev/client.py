"""A client's side of mTLS, as any gRPC client would do it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import grpc

from signer.cli import control

if TYPE_CHECKING:
    from pathlib import Path


def connect(directory: Path, name: str, address: str) -> grpc.Channel:
    """Open a channel with the certificate ``name`` of an environment's directory."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(directory / "ca.crt").read_bytes(),
        private_key=(directory / f"{name}.key").read_bytes(),
        certificate_chain=(directory / f"{name}.crt").read_bytes(),
    )
    return grpc.secure_channel(address, credentials)


def intent(**members: str | int) -> bytes:
    """Return a transfer intent in its canonical form (RFC 8785)."""
    document = {"schema": "signgate.intent/1", **members}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def reason_of(error: grpc.RpcError) -> str:
    """Return the stable reason that an error carries, or nothing."""
    return control.reason_of(cast("grpc.Call", error))
