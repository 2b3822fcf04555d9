"""A call as grpcio has it, from its arrival to its answer: what has no public way.

grpcio gives each call a thread, and lets it wait there for the message. Here the message is
read first: no thread is woken twice for a call, and a caller who does not send holds none.
And whoever has an answer gives it. Should another version of grpcio be made differently,
calls are served in its own way rather than lost.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import structlog
from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined] # no stubs
from grpc_status import rpc_status

from signer.errors import SigngateError
from signer.rpc.status import shielded, status_of

_log = structlog.get_logger(__name__)
NO_FLAGS = 0
_READS_ONE = "_unary_request.<locals>.unary_request"  # grpcio's own, which waits in a thread
SUBMITTED = 7  # see ``method_of``
IS_KNOWN = all(  # what this module and ``duplex`` take of grpcio
    hasattr(_server, name)
    for name in (
        "_abort",
        "_Context",
        "_get_initial_metadata_operation",
        "_is_rpc_state_active",
        "_possibly_finish_call",
        "_receive_message",
        "_RECEIVE_MESSAGE_TOKEN",
        "_status",
    )
)


class Ending:
    """What ``grpc.server`` is given for a call, in place of a future: it tells of the end."""

    __slots__ = ("_over", "_told")

    def __init__(self) -> None:
        self._over = False
        self._told: deque[Callable[[Any], object]] = deque()

    def add_done_callback(self, told: Callable[[Any], object]) -> None:
        """Have somebody told, once, of the end; at once where it is over."""
        self._told.append(told)
        if self._over:
            self._tell()

    def end(self) -> None:
        """Tell that the call is over."""
        self._over = True
        self._tell()

    def _tell(self) -> None:
        while self._told:
            try:
                told = self._told.popleft()  # by one thread, whoever comes first
            except IndexError:
                return
            told(self)


class Arrived:
    """A call with its one message, which is answered once.

    Attributes:
        message: the request, parsed.
        context: as a method has it.
        is_over: whether it was answered.
    """

    __slots__ = ("_ended", "_event", "_serialize", "_state", "context", "is_over", "message")

    def __init__(self, args: tuple[Any, ...], message: Any, ended: Callable[[str], None]) -> None:
        """Make it of what grpcio submits: see ``method_of``; ``ended`` is told the status."""
        _, self._event, self._state, _, _, deserialize, self._serialize = args
        self._ended = ended
        self.is_over = False
        self.message = message
        self.context: grpc.ServicerContext = _server._Context(self._event, self._state, deserialize)

    def answer(self, response: Any) -> None:
        """End the call with a response."""
        with self._ending("OK"):
            _server._status(self._event, self._state, self._serialize(response))

    def refuse(self, error: Exception) -> None:
        """End the call with an error's status."""
        refusal = Refusal(shielded(error))
        with self._ending(refusal.name):
            refuse(self._event, self._state, refusal)

    @contextmanager
    def _ending(self, code: str) -> Iterator[None]:
        """Whatever becomes of the answer, the call is over, and others must not suffer."""
        self.is_over = True
        try:
            yield
        except Exception:  # noqa: BLE001 - see above
            _log.exception("a call could not be answered")
        finally:
            self._ended(code)


def method_of(args: tuple[Any, ...]) -> str:
    """Return the method of what grpcio submits to its pool, such as ``package.Service/Method``.

    That is one of its own functions, the event that began the call, the call's state, the
    method's behavior, what waits for the request, and the message's parser and writer.
    """
    # The event of a registered method has its name for a tag.
    name: str = args[1].call_details.method.decode() or args[1].tag
    return name.removeprefix("/")


def having(args: tuple[Any, ...], message: Any) -> tuple[Any, ...]:
    """Return what grpcio submits, for a call whose message is here."""
    return (*args[:4], lambda: message, *args[5:])


def read(args: tuple[Any, ...], arrived: Callable[[Any], None]) -> bool:
    """Begin to read the one message of a call; False where that is left to grpcio.

    ``arrived`` is called with the message, by the transport's thread, or with None where
    none came: then the call is over.
    """
    if not IS_KNOWN or len(args) != SUBMITTED or args[4].__qualname__ != _READS_ONE:
        return False
    event, state = args[1], args[2]
    received = _server._receive_message(state, event.call, args[5])

    def completed(result: Any) -> Any:
        ended = received(result)
        try:
            arrived(_message(event, state))
        except Exception:  # noqa: BLE001 - the transport's thread must live
            _log.exception("a call was lost")
        return ended

    with state.condition:
        event.call.start_server_batch((cygrpc.ReceiveMessageOperation(NO_FLAGS),), completed)
        state.due.add(_server._RECEIVE_MESSAGE_TOKEN)
    return True


def _message(event: Any, state: Any) -> Any:
    """Return what was received; where it was nothing, the call is ended."""
    with state.condition:
        message, state.request = state.request, None
        if message is None and state.client == "closed" and not state.statused:
            details = b"exactly one request message is required"
            _server._abort(state, event.call, cygrpc.StatusCode.unimplemented, details)
    return message


class Refusal:
    """An error as the transport sends it, made once."""

    __slots__ = ("code", "details", "metadata", "name")

    def __init__(self, error: SigngateError) -> None:
        status = rpc_status.to_status(status_of(error))
        self.name = status.code.name
        self.code = getattr(cygrpc.StatusCode, self.name.lower())
        self.details = status.details.encode()
        self.metadata = tuple(status.trailing_metadata)


def refuse(event: Any, state: Any, refusal: Refusal) -> None:
    """End a call with an error, unless it is over."""
    with state.condition:
        state.trailing_metadata = refusal.metadata
        _server._abort(state, event.call, refusal.code, refusal.details)
