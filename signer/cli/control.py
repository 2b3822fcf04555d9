"""Calls to the control port from the command line: the connection's options, and errors."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, cast

import grpc
import typer
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from signer.config import read
from signer.errors import SigngateError

SECONDS = 300.0  # a large document takes its time to compare
MESSAGE_BYTES = 64 * 1024 * 1024

Address = Annotated[
    str, typer.Option(help="The control port, host:port.", envvar="SIGNGATE_CONTROL")
]
Ca = Annotated[Path, typer.Option(help="The server's authority, PEM.", envvar="SIGNGATE_CA")]
Certificate = Annotated[
    Path, typer.Option(help="Your certificate, PEM.", envvar="SIGNGATE_CERTIFICATE")
]
PrivateKey = Annotated[
    Path, typer.Option(help="Its private key, PEM.", envvar="SIGNGATE_PRIVATE_KEY")
]
_OPTIONS = {"address": Address, "ca": Ca, "certificate": Certificate, "private_key": PrivateKey}

P = ParamSpec("P")
T = TypeVar("T")


class CallError(SigngateError):
    """The service refused, or could not be reached; ``reason`` is its stable reason."""

    def __init__(self, error: grpc.RpcError) -> None:
        call = cast("grpc.Call", error)
        self.reason = reason_of(call)
        super().__init__(f"{self.reason or call.code().name}: {call.details()}")


def reason_of(call: grpc.Call) -> str:
    """Return the stable reason that a failed call carries, or nothing."""
    status = rpc_status.from_call(call)
    info = error_details_pb2.ErrorInfo()
    found = status is not None and any(detail.Unpack(info) for detail in status.details)
    return str(info.reason) if found else ""


class Connection:
    """A channel to the control port, with a client certificate."""

    def __init__(self, address: str, ca: Path, certificate: Path, private_key: Path) -> None:
        credentials = grpc.ssl_channel_credentials(*map(read, (ca, private_key, certificate)))
        options = [("grpc.max_receive_message_length", MESSAGE_BYTES)]
        self.channel = grpc.secure_channel(address, credentials, options)

    def call(self, method: Callable[..., T], request: Message) -> T:
        """Call a method.

        Raises:
            CallError: the service refuses or can't be reached; one line says why.
        """
        try:
            return method(request, timeout=SECONDS)
        except grpc.RpcError as error:
            raise CallError(error) from None


def connected(command: Callable[Concatenate[Connection, P], T]) -> Callable[..., T]:
    """Give a command the connection's options; it gets the connection as its first argument."""

    @wraps(command)
    def run(address: str, ca: Path, certificate: Path, private_key: Path, **others: Any) -> T:
        connection = Connection(address, ca, certificate, private_key)
        with connection.channel:
            return cast("Callable[..., T]", command)(connection, **others)

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(name, keyword, annotation=kind) for name, kind in _OPTIONS.items()]
    parameters = [parameter.replace(kind=keyword) for parameter in own] + options
    # typer reads both.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # a function's
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
