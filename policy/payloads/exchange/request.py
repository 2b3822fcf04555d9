"""The envelope of a request: its method and path on one line, then what is sent.

    POST /api/v3/order
    symbol=BTCUSDT&side=BUY&…

Headers that are signed have a line of their own in between. One line feed ends
each line but the last. Exchanges sign the parameters, and not all of them the
path: the envelope is what makes a decoder's facts those of one endpoint.

A form's parameters stand in the order of the endpoint's table, each once, without
percent-encoding; a JSON body is in canonical form. So a request has one spelling.

Invariant: ``encode`` of what ``decode`` gave is the payload.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from policy.payloads import canonical_json
from policy.reasons import Code, PayloadError

MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name, its grammar, and what to say of a value that does not fit.

    A grammar takes neither ``&``, ``=``, ``%`` nor a line feed. In JSON the value
    is a string.
    """

    name: str
    grammar: re.Pattern[str]
    expected: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A request as sent: the envelope's first line, the signed headers, the parameters.

    ``text`` is the query or body, ``values`` what stands in it.
    """

    line: str
    headers: Mapping[str, str]
    text: str
    values: Mapping[str, str]

    @property
    def method(self) -> str:
        """The method."""
        return self.line.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path."""
        return self.line.partition(" ")[2]


Tables = Mapping[str, Sequence[Parameter]]  # by envelope line
_Table = Mapping[str, Parameter]


def decode(payload: bytes, tables: Tables, headers: Sequence[Parameter] = ()) -> Request:
    """Read a request with a form to one of the endpoints in ``tables``.

    Raises:
        PayloadError: another endpoint, or parameters that are not those of its table.
    """
    return _decode(payload, tables, headers, _form)


def decode_json(payload: bytes, tables: Tables, headers: Sequence[Parameter]) -> Request:
    """Read a request with a JSON body of strings.

    Raises:
        PayloadError: another endpoint, or members that are not those of its table.
    """
    return _decode(payload, tables, headers, _json)


def encode(request: Request) -> bytes:
    """Write the envelope around what is sent."""
    return "\n".join((request.line, *request.headers.values(), request.text)).encode("ascii")


def form(values: Mapping[str, str]) -> str:
    """Write a form."""
    return "&".join(f"{name}={value}" for name, value in values.items())


def _decode(
    payload: bytes,
    tables: Tables,
    headers: Sequence[Parameter],
    parse: Callable[[str, _Table], dict[str, str]],
) -> Request:
    line, *rest = text(payload).split("\n", 1 + len(headers))
    table = tables.get(line)
    if table is None or len(rest) != 1 + len(headers):
        detail = f"{line[:80]!a} is not one of: {', '.join(tables)}"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "request.line", detail)
    *signed, sent = rest
    return Request(
        line, fields(headers, signed), sent, parse(sent, {item.name: item for item in table})
    )


def fields(parameters: Sequence[Parameter], values: Sequence[str]) -> dict[str, str]:
    """Return values by name, one for each parameter.

    Raises:
        PayloadError: one does not fit.
    """
    found = {item.name: value for item, value in zip(parameters, values, strict=True)}
    for item in parameters:
        check(item, found[item.name])
    return found


def text(payload: bytes) -> str:
    """Return a payload of ASCII text.

    Raises:
        PayloadError: it is longer than any request, or not ASCII.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "request", detail)
    try:
        return payload.decode("ascii")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} is not ASCII"
        raise PayloadError(Code.PAYLOAD_MALFORMED, "request", detail) from None


def _form(text: str, table: _Table) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if name in values:
            raise PayloadError(Code.PAYLOAD_MALFORMED, _where(name), "stands there twice")
        check(_known(name, table), value)
        values[name] = value
    _check_complete(values, table)
    ordered = [name for name in table if name in values]
    if ordered != list(values):
        detail = f"the order is {', '.join(ordered)}"
        raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, "request", detail)
    return values


def _json(text: str, table: _Table) -> dict[str, str]:
    values = canonical_json.decode(text.encode("ascii"))
    for name, value in values.items():
        check(_known(name, table), value)
    _check_complete(values, table)
    return values


def _known(name: str, table: _Table) -> Parameter:
    if name not in table:
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, _where(name), "is not taken here")
    return table[name]


def check(parameter: Parameter, value: object) -> None:
    """Check a value by its grammar.

    Raises:
        PayloadError: it does not fit.
    """
    if not (isinstance(value, str) and parameter.grammar.fullmatch(value)):
        detail = f"is not {parameter.expected}"
        raise PayloadError(Code.PAYLOAD_MALFORMED, _where(parameter.name), detail)


def _check_complete(values: Mapping[str, str], table: _Table) -> None:
    for name, parameter in table.items():
        if parameter.required and name not in values:
            raise PayloadError(Code.PAYLOAD_MALFORMED, _where(name), "is missing")


def _where(name: str) -> str:
    return f"request.{name[:40]!a}"
