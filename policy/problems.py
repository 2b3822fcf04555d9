"""What is wrong with a policy document, in the words of its author."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from policy import schema

Location = tuple[str | int, ...]

EMPTY: Final = "must not be empty: an empty list would deny everything"
_PLAIN: Final = {"missing": "is required", "too_short": EMPTY}
_WIDTH: Final = 60
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)  # TOML 1.0, "Keys"
_MARKS: Final = {"[key]", schema.ONE, schema.MANY}  # pydantic's, not the author's
# [assets.X]: tables by names of their own
_NAMED: Final = {"assets", "calls", "contracts", "groups", "keys"}
_TABLES: Final[dict[str, type[BaseModel]]] = {
    "": schema.Document,
    "assets": schema.Asset,
    "calls": schema.Call,
    "contracts": schema.Contract,
    "keys": schema.Key,
    "groups": schema.Group,
    "grants": schema.Grant,
    "hours": schema.Hours,
    "worst_price": schema.WorstPrice,
    "approval": schema.Approval,
    "limits": schema.Limit,
    "windows": schema.Window,
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong: ``path`` as in ``keys.a.limits[0].per_request``.

    The path is empty where the whole document is meant.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class PolicyError(Exception):
    """The document is no policy; ``problems`` has everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def at(location: Location, message: str) -> Problem:
    """Return a problem at a place in the document."""
    return Problem(path(location), message)


def from_pydantic(error: ErrorDetails, tables: Mapping[str, type[BaseModel]] = _TABLES) -> Problem:
    """Return a problem for one of pydantic's; ``tables`` are the document's, by name."""
    location = tuple(part for part in error["loc"] if part not in _MARKS)
    return at(location, _message(error, location, tables))


def path(location: Location) -> str:
    """Return a place in the document as in ``keys.a.limits[0].per_request``."""
    return "".join(map(_part, location)).removeprefix(".")


@lru_cache(maxsize=256)  # every path has most of its parts from others
def _part(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{_key(part)}"


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else json.dumps(text)


def _message(error: ErrorDetails, location: Location, tables: Mapping[str, type[BaseModel]]) -> str:
    found = error["input"]
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing" | "too_short" as kind:
            return _PLAIN[kind]
        case "extra_forbidden":
            return f"unknown field; known here: {', '.join(_known(location, tables))}"
        case "string_type" if type(found) in {int, float}:
            return f'a number where a string belongs; write "{found}" in quotes'
        case "dict_type" | "model_type":
            return f"must be a table, not {_shown(found)}"
        case _:
            return f"{error['msg'][0].lower()}{error['msg'][1:]}, not {_shown(found)}"


def _known(location: Location, tables: Mapping[str, type[BaseModel]]) -> list[str]:
    match [part for part in location[:-1] if isinstance(part, str)]:
        case [kind, _] | ["contracts", _, kind, _] if kind in _NAMED:
            table = kind
        case names:
            table = "".join(names[-1:])
    fields = tables[table].model_fields
    return [field.alias or name for name, field in fields.items()]


def _shown(found: object) -> str:
    """Show a value on one line of a terminal."""
    if isinstance(found, dict | list):
        return "a table" if isinstance(found, dict) else "a list"
    text = json.dumps(found, default=str)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
