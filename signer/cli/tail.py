"""``signgate audit tail``: the audit log as JSON lines, live."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import grpc
import typer

from signer.cli.control import Address, Ca, Certificate, PrivateKey
from signer.config import read
from signer.errors import SigngateError
from signer.v1 import audit_service_pb2 as pb
from signer.v1 import audit_service_pb2_grpc

PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to connect again
TRANSIENT = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})


def tail(
    address: Address,
    ca: Ca,
    certificate: Certificate,
    private_key: PrivateKey,
    from_end: Annotated[bool, typer.Option(help="Start at the records to come.")] = False,
    stop_at_end: Annotated[bool, typer.Option(help="Stop at the newest record.")] = False,
    state: Annotated[
        Path | None, typer.Option(help="Keeps the resume token, so that the next run goes on.")
    ] = None,
) -> None:
    """Print audit records as JSON lines as they are written; goes on after a lost connection."""
    place = Place(state)
    request = pb.TailRecordsRequest(
        resume_token=place.token, from_end=from_end and not place.token, stop_at_end=stop_at_end
    )
    for response in responses(address, (ca, private_key, certificate), request):
        sys.stdout.write(response.record.decode() + "\n")
        sys.stdout.flush()
        place.move(response.resume_token)


def responses(
    address: str, pems: tuple[Path, Path, Path], request: pb.TailRecordsRequest
) -> Iterator[pb.TailRecordsResponse]:
    """Yield every record that a request asks for.

    ``pems`` are the CA, the private key and the certificate.

    Raises:
        SigngateError: as ``follow``; or a file cannot be read.
    """
    credentials = grpc.ssl_channel_credentials(*map(read, pems))
    with grpc.secure_channel(address, credentials) as channel:
        stub = audit_service_pb2_grpc.AuditServiceStub(channel)
        yield from follow(stub.TailRecords, request)


class Place:
    """How far a reader has come: a resume token, kept in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.token = path.read_text(encoding="ascii") if path and path.exists() else ""

    def move(self, token: str) -> None:
        """Remember a token once its record has been printed."""
        self.token = token
        if self._path:
            temporary = self._path.with_name(self._path.name + ".new")
            temporary.write_text(token, encoding="ascii")
            temporary.replace(self._path)


def follow(
    call: Callable[[pb.TailRecordsRequest], Iterator[pb.TailRecordsResponse]],
    request: pb.TailRecordsRequest,
    pauses: tuple[float, ...] = PAUSES,
) -> Iterator[pb.TailRecordsResponse]:
    """Yield every record once, resuming after a break as long as the server comes back.

    Raises:
        SigngateError: the server refuses, or stays away for longer than ``pauses``.
    """
    left = iter(pauses)
    while True:
        try:
            for response in call(request):
                left = iter(pauses)
                request.resume_token, request.from_end = response.resume_token, False
                yield response
            if request.stop_at_end:
                return
        except grpc.RpcError as error:
            pause = next(left, None)
            if error.code() not in TRANSIENT or pause is None:
                raise SigngateError(f"{error.code().name}: {error.details()}") from None
            time.sleep(pause)
