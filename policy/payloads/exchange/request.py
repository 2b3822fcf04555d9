"""The envelope of a request: its method and path on one line, then its parameters.

    POST /api/v3/order
    symbol=BTCUSDT&side=BUY&…

One line feed stands between them and none after. Exchanges sign the parameters,
and not all of them the path: the envelope is what makes a decoder's facts those
of one endpoint. Parameters stand in the order of the endpoint's table, each once,
without percent-encoding, so that a request has one spelling.

Invariant: ``encode`` of the line and values that ``decode`` gave is the payload.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policy.reasons import Code, PayloadError

MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name, its grammar, and what to say of a value that does not fit.

    A grammar takes neither ``&``, ``=``, ``%`` nor a line feed.
    """

    name: str
    grammar: re.Pattern[str]
    expected: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A request as sent: the envelope's first line, the parameters' text and values."""

    line: str
    text: str
    values: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path without the method."""
        return self.line.partition(" ")[2]


def decode(payload: bytes, tables: Mapping[str, Sequence[Parameter]]) -> Request:
    """Read a request to one of the endpoints in ``tables``, which are by envelope line.

    Raises:
        PayloadError: another endpoint, or parameters that are not those of its table.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "request", detail)
    line, feed, text = _text(payload).partition("\n")
    table = tables.get(line)
    if table is None or not feed:
        detail = f"{line[:80]!a} is not one of: {', '.join(tables)}"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "request.line", detail)
    return Request(line, text, _values(text, {parameter.name: parameter for parameter in table}))


def encode(line: str, values: Mapping[str, str]) -> bytes:
    """Write the envelope: the inverse of ``decode``."""
    parameters = "&".join(f"{name}={value}" for name, value in values.items())
    return f"{line}\n{parameters}".encode("ascii")


def _text(payload: bytes) -> str:
    try:
        return payload.decode("ascii")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} is not ASCII"
        raise PayloadError(Code.PAYLOAD_MALFORMED, "request", detail) from None


def _values(text: str, table: Mapping[str, Parameter]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        where = f"request.{name[:40]!a}"
        if name not in table:
            raise PayloadError(Code.PAYLOAD_UNSUPPORTED, where, "is not taken here")
        if name in values:
            raise PayloadError(Code.PAYLOAD_MALFORMED, where, "stands there twice")
        if not table[name].grammar.fullmatch(value):
            raise PayloadError(Code.PAYLOAD_MALFORMED, where, f"is not {table[name].expected}")
        values[name] = value
    _check_order(values, table)
    return values


def _check_order(values: Mapping[str, str], table: Mapping[str, Parameter]) -> None:
    for name, parameter in table.items():
        if parameter.required and name not in values:
            raise PayloadError(Code.PAYLOAD_MALFORMED, f"request.{name!a}", "is missing")
    ordered = [name for name in table if name in values]
    if ordered != list(values):
        detail = f"the order is {', '.join(ordered)}"
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, "request", detail)
