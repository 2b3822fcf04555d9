"""Calls of many messages each way: read and written without waking a thread for each.

grpcio has a thread ask for every message and wait until each answer is sent. Here the next
message is asked for when one has come, the next answer is sent when one is, and what waits
to be sent goes out together. See ``transport`` for what is grpcio's own here.
"""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import structlog
from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined] # no stubs

from signer.rpc import transport
from signer.rpc.inbox import Inbox
from signer.rpc.transport import NO_FLAGS, SUBMITTED

CAPACITY = 256  # messages of a call that are read, or to be sent, and wait
_BOTH = "_handle_stream_stream.<locals>.<lambda>"  # grpcio's own, which returns its iterator
_SENT = "send_message"
_log = structlog.get_logger(__name__)

Behavior = Callable[[Inbox[Any], Any], Generator[Any, None, None]]


def instead(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what grpcio submits, with this way where it is for a call of that kind."""
    if transport.IS_KNOWN and len(args) == SUBMITTED and args[4].__qualname__ == _BOTH:
        return (serve, *args[1:])
    return args


def serve(
    event: Any, state: Any, behavior: Behavior, _requests: Any, deserialize: Any, serialize: Any
) -> None:
    """Serve a call, in the thread that it has."""
    call = _Call(event, state, deserialize, serialize)
    context = _server._Context(event, state, deserialize)
    call.receive()
    try:
        with closing(behavior(call.inbox, context)) as answers:
            for answer in answers:
                if not call.send(answer):
                    return
    except Exception:  # noqa: BLE001 - the method has said what it is: see ``status.abort``
        if not state.aborted:
            _log.exception("a stream failed")
        call.abort()
    else:
        call.finish()
    finally:
        call.inbox.close()


class _Call:
    """One call: what comes goes into the inbox, what is to go waits for what went before."""

    def __init__(self, event: Any, state: Any, deserialize: Any, serialize: Any) -> None:
        self.inbox: Inbox[Any] = Inbox(CAPACITY, self.receive)
        self._event = event
        self._state = state
        self._serialize = serialize
        self._take = _server._receive_message(state, event.call, deserialize)
        self._outgoing: deque[bytes] = deque()
        self._sending = False

    def receive(self) -> None:
        """Ask for the next message."""
        with self._state.condition:
            if self._is_active:
                # One for each message: an operation holds what it has received.
                operations = (cygrpc.ReceiveMessageOperation(NO_FLAGS),)
                self._start(self._received, _server._RECEIVE_MESSAGE_TOKEN, operations)
            else:
                self.inbox.close()

    def _received(self, event: Any) -> Any:
        ended = self._take(event)
        with self._state.condition:
            message, self._state.request = self._state.request, None
        if message is None:
            self.inbox.close()
        elif self.inbox.put(message):
            self.receive()
        return ended

    def send(self, answer: Any) -> bool:
        """Send an answer, after those before it; False where nobody listens any more."""
        encoded = self._serialize(answer)
        with self._state.condition:
            while self._is_active and len(self._outgoing) >= CAPACITY:
                self._state.condition.wait()
            if not self._is_active:
                return False
            self._outgoing.append(encoded)
            if not self._sending:
                self._send()
        return True

    def _send(self) -> None:
        """Send what is next, under the state's lock."""
        operations = []
        if self._state.initial_metadata_allowed:
            operations.append(_server._get_initial_metadata_operation(self._state, None))
            self._state.initial_metadata_allowed = False
        encoded = self._outgoing.popleft()
        flags = cygrpc.WriteFlag.buffer_hint if self._outgoing else NO_FLAGS
        operations.append(cygrpc.SendMessageOperation(encoded, flags))
        self._sending = True
        self._start(self._went, _SENT, operations)

    def _went(self, _event: Any) -> Any:
        with self._state.condition:
            self._sending = False
            ended = _server._possibly_finish_call(self._state, _SENT)
            if self._outgoing and self._is_active:
                self._send()
            self._state.condition.notify_all()
            return ended

    def finish(self) -> None:
        """End the call once everything is sent."""
        if self._drained():
            _server._status(self._event, self._state, None)

    def abort(self) -> None:
        """End the call with the status that its context was given."""
        if self._drained():
            with self._state.condition:
                code, details = cygrpc.StatusCode.unknown, b"the call failed"
                _server._abort(self._state, self._event.call, code, details)

    def _drained(self) -> bool:
        """Wait until everything is sent; False where the call is over already."""
        with self._state.condition:
            while self._is_active and (self._sending or self._outgoing):
                self._state.condition.wait()
            return self._is_active

    @property
    def _is_active(self) -> bool:
        return bool(_server._is_rpc_state_active(self._state))

    def _start(self, then: Callable[[Any], Any], token: str, operations: Any) -> None:
        self._event.call.start_server_batch(operations, then)
        self._state.due.add(token)
