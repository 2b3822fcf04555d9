"""A server that answers as a signer would, without ledger and HSM: the generator's own peer.

The same API over the same TLS. What it answers is a function, so that a test can
give wrong answers; ``loadtest.answers`` has two right ones.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, Self

import grpc
from grpc_status import rpc_status

from signer.rpc.peer import identify
from signer.v1 import resources_pb2, signing_service_pb2_grpc
from signer.v1 import signing_service_pb2 as pb

THREADS = 16
FILES = ("server.key", "server.crt", "ca.crt")


class Answers(Protocol):
    """What the server answers."""

    def public_key(self, key: str) -> resources_pb2.PublicKey:
        """Return the public key of ``key``."""

    def result(self, caller: str, request: pb.SignPayloadRequest) -> pb.SignPayloadResult:
        """Answer a request of the caller with this SAN."""


class Echo:
    """Serves on a free port of this host while the context is open.

    ``certificates`` is a directory with server.key, server.crt and ca.crt.

    Attributes:
        address: where it listens.
    """

    def __init__(self, certificates: Path, answers: Answers) -> None:
        self._server = grpc.server(ThreadPoolExecutor(THREADS))
        signing_service_pb2_grpc.add_SigningServiceServicer_to_server(
            _Service(answers),  # type: ignore[abstract]  # GetKey, ListKeys stay unimplemented
            self._server,
        )
        port = self._server.add_secure_port("127.0.0.1:0", _tls(certificates))
        self.address = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=1).wait()


def _tls(certificates: Path) -> grpc.ServerCredentials:
    private_key, chain, ca = ((certificates / name).read_bytes() for name in FILES)
    return grpc.ssl_server_credentials([(private_key, chain)], ca, require_client_auth=True)


class _Service(signing_service_pb2_grpc.SigningServiceServicer):
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def SignPayload(  # noqa: N802 - gRPC fixes the name
        self, request: pb.SignPayloadRequest, context: grpc.ServicerContext
    ) -> pb.SignPayloadResponse:
        result = self._answers.result(identify(context).san, request)
        if result.HasField("error"):
            context.abort_with_status(rpc_status.to_status(result.error))
        return result.response

    def BatchSignPayloads(  # noqa: N802 - gRPC fixes the name
        self, request: pb.BatchSignPayloadsRequest, context: grpc.ServicerContext
    ) -> pb.BatchSignPayloadsResponse:
        results = map(self._answer_to(context), request.requests)
        return pb.BatchSignPayloadsResponse(results=results)

    def StreamSignPayloads(  # noqa: N802 - gRPC fixes the name
        self,
        request_iterator: Iterable[pb.StreamSignPayloadsRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[pb.StreamSignPayloadsResponse]:
        answer = self._answer_to(context)
        for item in request_iterator:
            yield pb.StreamSignPayloadsResponse(result=answer(item.request))

    def _answer_to(
        self, context: grpc.ServicerContext
    ) -> Callable[[pb.SignPayloadRequest], pb.SignPayloadResult]:
        caller = identify(context).san
        return lambda request: self._answers.result(caller, request)

    def GetPublicKey(  # noqa: N802 - gRPC fixes the name
        self,
        request: pb.GetPublicKeyRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC passes it
    ) -> resources_pb2.PublicKey:
        return self._answers.public_key(request.name.split("/")[1])
