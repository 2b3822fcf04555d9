"""The control port's view of the audit log."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import grpc

from signer.errors import InvalidRequestError, NoCheckpointError, TooManyStreamsError
from signer.rpc.peer import Identify
from signer.rpc.status import answers, answers_stream
from signer.v1 import audit_service_pb2 as pb
from signer.v1 import audit_service_pb2_grpc

PAGE = 256
WAIT_SECONDS = 1.0
MAX_TAILS = 8  # of the port's 16 handlers: the others stay free to act
_TOKEN = re.compile("[0-9]{1,18}")


class Log(Protocol):
    """The ledger, as a reader of its leaves sees it."""

    def leaves(self, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return committed leaves from ``start`` on, with their indexes."""

    def size(self) -> int:
        """Return the number of committed leaves."""

    def wait(self, size: int, timeout: float) -> int:
        """Wait until there are more than ``size`` leaves, or the time is over."""

    def interrupt(self) -> None:
        """End every waiting."""


class AuditService(audit_service_pb2_grpc.AuditServiceServicer):
    """Streams leaves as they are committed."""

    def __init__(
        self, log: Log, newest_checkpoint: Callable[[], tuple[int, str] | None], identify: Identify
    ) -> None:
        self._log = log
        self._newest_checkpoint = newest_checkpoint
        self._identify = identify
        self._tails = threading.BoundedSemaphore(MAX_TAILS)
        self._draining = threading.Event()

    def drain(self) -> None:
        """End the open streams; their readers resume elsewhere."""
        self._draining.set()

    @answers_stream
    def TailRecords(
        self, request: pb.TailRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.TailRecordsResponse]:
        """Stream records from a place in the log, and go on as they are written."""
        self._identify(context)
        index = self._start(request)
        if not self._tails.acquire(blocking=False):
            raise TooManyStreamsError(f"{MAX_TAILS} streams of records are open")
        context.add_callback(self._log.interrupt)  # a reader that goes gives its place back
        context.send_initial_metadata(())  # tells the reader that its place is taken
        try:
            yield from self._records(index, request, context)
        finally:
            self._tails.release()

    def _start(self, request: pb.TailRecordsRequest) -> int:
        if not request.resume_token:
            return self._log.size() if request.from_end else 0
        if request.from_end:
            raise InvalidRequestError("from_end: not together with resume_token")
        if not _TOKEN.fullmatch(request.resume_token):
            raise InvalidRequestError("resume_token: not one that this service gave out")
        return int(request.resume_token)

    def _records(
        self, index: int, request: pb.TailRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.TailRecordsResponse]:
        while context.is_active() and not self._draining.is_set():
            page = self._log.leaves(index, PAGE)
            for found, record in page:
                index = found + 1
                yield pb.TailRecordsResponse(index=found, record=record, resume_token=str(index))
            if page:
                continue
            if request.stop_at_end:
                return
            self._log.wait(index, WAIT_SECONDS)

    @answers
    def GetCheckpoint(
        self,
        request: pb.GetCheckpointRequest,  # noqa: ARG002 - gRPC passes it
        context: grpc.ServicerContext,
    ) -> pb.Checkpoint:
        """Return the newest published checkpoint."""
        self._identify(context)
        newest = self._newest_checkpoint()
        if newest is None:
            raise NoCheckpointError("no checkpoint has been published yet")
        return pb.Checkpoint(tree_size=newest[0], note=newest[1])
