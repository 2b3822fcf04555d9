"""Policy documents: TOML text in; a compiled policy, or everything wrong with it, out.

The content hash is over the document's exact bytes: a comment counts, since it
was reviewed too.
"""

import gc
import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import tomli
from pydantic import ValidationError

from policy.compile import KeyCompiler, compiled_prices
from policy.groups import grouped
from policy.model import Format
from policy.names import Names
from policy.pins import pinned
from policy.problems import EMPTY, Location, PolicyError, Problem, at, from_pydantic
from policy.rules import Policy
from policy.schema import VERSION, Document


def load(text: str, formats: Mapping[str, Format]) -> Policy:
    """Return the policy that a TOML document describes.

    ``formats`` are the payload formats that its keys may take, by tag.

    Raises:
        PolicyError: with all problems at once, each with its path. Only two
            things hide others: a syntax error, and in one table a field of the
            wrong shape hides what contradicts other tables.
    """
    with _without_collecting():
        return _load(text, formats)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Keep the garbage collector from going over a document again and again as it grows."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load(text: str, formats: Mapping[str, Format]) -> Policy:
    raw, sha256 = _parse(text)
    document, broken, problems = _validate(raw)
    names = Names(document, broken)
    calls = pinned(document.contracts, names)
    keys = {
        name: KeyCompiler(name, table, names, formats, calls).compile()
        for name, table in document.keys.items()
    }
    keys = grouped(document.groups, keys, names)
    markets = {
        name: compiled_prices(("markets", name), table, names)
        for name, table in document.markets.items()
    }
    problems += names.problems
    if raw.get("keys") == {}:
        problems.append(at(("keys",), EMPTY))
    if problems:
        raise PolicyError(problems)
    return Policy(sha256, keys, names.known(), calls, markets)


def _parse(text: str) -> tuple[dict[str, Any], str]:
    try:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return tomli.loads(text), sha256
    except RecursionError:
        raise PolicyError([Problem("", "is nested too deeply")]) from None
    except ValueError as error:  # TOML syntax, a lone surrogate, an endless integer
        raise PolicyError([Problem("", f"is not TOML: {error}")]) from None


def _validate(raw: dict[str, Any]) -> tuple[Document, Collection[Location], list[Problem]]:
    """Return what has the right shape, the place of each table that has not, and why."""
    try:
        return Document.model_validate(raw), (), []
    except ValidationError as error:
        errors = error.errors()
    broken = {_table(item["loc"]) for item in errors}
    healthy = {"keys": {}} | _without(raw, broken) | {"schema": VERSION}
    return Document.model_validate(healthy), broken, list(map(from_pydantic, errors))


def _table(location: Location) -> Location:
    """Return the place of the smallest table that is compiled on its own."""
    match location:
        case ("keys", _, "grants" | "limits", int(), *_):
            return location[:4]
        case _:
            return location[:2]


def _without(node: Any, broken: Collection[Location], place: Location = ()) -> Any:
    """Copy a tree without its broken tables; in a list, None keeps the place of one."""
    if isinstance(node, dict):
        return {
            name: _without(child, broken, (*place, name))
            for name, child in node.items()
            if (*place, name) not in broken
        }
    if isinstance(node, list):
        return [
            None if (*place, index) in broken else _without(child, broken, (*place, index))
            for index, child in enumerate(node)
        ]
    return node
