"""Counting calls where the transport hands them to their methods, whatever the service."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import grpc

from signer.metrics.counts import CallCounts
from signer.metrics.meter import Meter

Handler: TypeAlias = Any  # a grpc.RpcMethodHandler, which is generic in the stubs only
_HANDLERS: Final[dict[tuple[bool, bool], Callable[..., Handler]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class Calls(grpc.ServerInterceptor):
    """Counts the calls of all methods that exist; others never become a label."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counted: dict[str, Handler] = {}

    def intercept_service(
        self,
        continuation: Callable[[Any], Handler],
        handler_call_details: Any,
    ) -> Any:
        """Return the method's handler with the counting around it."""
        method: str = handler_call_details.method
        counted = self._counted.get(method)
        if counted is None:
            handler = continuation(handler_call_details)
            if handler is None:
                return None
            counted = self._counted[method] = self._around(handler, method.removeprefix("/"))
        return counted

    def _around(self, handler: Handler, method: str) -> Handler:
        kind = (handler.request_streaming, handler.response_streaming)
        behavior = next(
            found
            for found in (
                handler.unary_unary,
                handler.unary_stream,
                handler.stream_unary,
                handler.stream_stream,
            )
            if found
        )
        around = _stream if handler.response_streaming else _unary
        return _HANDLERS[kind](
            around(behavior, self._meter.calls(method)),
            handler.request_deserializer,
            handler.response_serializer,
        )


def _unary(behavior: Callable[..., Any], counts: CallCounts) -> Callable[..., Any]:
    def counted(request: Any, context: Any) -> Any:
        counts.begun()
        began, code = time.perf_counter(), "UNKNOWN"
        try:
            response = behavior(request, context)
            code = "OK"
        finally:
            counts.ended(_code(context, code), time.perf_counter() - began)
        return response

    return counted


def _stream(behavior: Callable[..., Any], counts: CallCounts) -> Callable[..., Any]:
    def counted(request: Any, context: Any) -> Iterator[Any]:
        counts.begun()
        began, code = time.perf_counter(), "CANCELLED"
        try:
            yield from behavior(request, context)
            code = "OK"
        finally:
            counts.ended(_code(context, code), time.perf_counter() - began)

    return counted


def _code(context: Any, otherwise: str) -> str:
    """Name the status that a call was ended with."""
    code = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else otherwise
