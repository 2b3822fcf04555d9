"""The grammars that parameters share: each value has one spelling."""

import re

from policy.payloads.exchange.request import Parameter

# At most 18 digits on either side of the point, so that a product of two is exact
# at 36 decimals. No sign, no exponent, no zeros that mean nothing, and not zero.
DECIMAL = re.compile(
    r"[1-9][0-9]{0,17}(\.[0-9]{0,17}[1-9])?|0\.[0-9]{0,17}[1-9]",
    re.ASCII,
)
ADDRESS = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
MILLISECONDS = re.compile(r"[1-9][0-9]{12}", re.ASCII)  # 2001-09-09 to 2286-11-20


def decimal(name: str, *, required: bool = True) -> Parameter:
    """A number above zero, such as ``0.02``."""
    expected = "a decimal above zero without sign, exponent or needless zeros"
    return Parameter(name, DECIMAL, expected, required)


def milliseconds(name: str) -> Parameter:
    """A time in milliseconds since the epoch, 13 digits."""
    return Parameter(name, MILLISECONDS, "milliseconds since the epoch, 13 digits")


def one_of(name: str, *choices: str, required: bool = True) -> Parameter:
    """One of a few words."""
    grammar = "|".join(map(re.escape, choices))
    return text(name, grammar, f"one of {', '.join(choices)}", required=required)


def text(name: str, grammar: str, expected: str, *, required: bool = True) -> Parameter:
    """Text by a grammar of its own."""
    return Parameter(name, re.compile(grammar, re.ASCII), expected, required)


def address(name: str) -> Parameter:
    """Where a withdrawal goes: an address that needs no percent-encoding."""
    return Parameter(name, ADDRESS, "an address, 1 to 128 of A-Z a-z 0-9 _ -")


def client_id(name: str) -> Parameter:
    """A client's id that every venue takes, and that makes a repetition a duplicate."""
    return text(name, "[A-Za-z0-9]{1,32}", "an id, 1 to 32 of A-Z a-z 0-9")
