"""Policy documents: TOML text in; a compiled policy, or everything wrong with it, out.

The content hash is over the document's exact bytes: a comment counts, since it
was reviewed too.
"""

import hashlib
import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from policy.compile import KeyCompiler
from policy.model import Format
from policy.names import Names
from policy.problems import EMPTY, Location, PolicyError, Problem, at, from_pydantic
from policy.rules import Policy
from policy.schema import VERSION, Document

_SECTIONS = ("assets", "addresses", "keys")


def load(text: str, formats: Mapping[str, Format]) -> Policy:
    """Return the policy that a TOML document describes.

    ``formats`` are the payload formats that its keys may take, by tag.

    Raises:
        PolicyError: with all problems at once, each with its path. Only a
            syntax error, or a table with fields of the wrong shape, hides what
            else may be wrong: in the document, or with that table.
    """
    raw, sha256 = _parse(text)
    document, broken, problems = _validate(raw)
    names = Names(document, broken)
    keys = {
        name: KeyCompiler(name, table, names, formats).compile()
        for name, table in document.keys.items()
    }
    problems += names.problems
    if raw.get("keys") == {}:
        problems.append(at(("keys",), EMPTY))
    if problems:
        raise PolicyError(problems)
    return Policy(sha256, keys, names.known())


def _parse(text: str) -> tuple[dict[str, Any], str]:
    try:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return tomllib.loads(text), sha256
    except RecursionError:
        raise PolicyError([Problem("", "is nested too deeply")]) from None
    except ValueError as error:  # TOML syntax, a lone surrogate, an endless integer
        raise PolicyError([Problem("", f"is not TOML: {error}")]) from None


def _validate(raw: dict[str, Any]) -> tuple[Document, Collection[Location], list[Problem]]:
    """Return what has the right shape, which tables have not, and why."""
    problems = []
    broken = set()
    try:
        return Document.model_validate(raw), (), []
    except ValidationError as error:
        for item in error.errors():
            problems.append(from_pydantic(item))
            broken.add(item["loc"][:2])
    return Document.model_validate(_without(raw, broken)), broken, problems


def _without(raw: dict[str, Any], broken: Collection[Location]) -> dict[str, Any]:
    healthy: dict[str, Any] = {"schema": VERSION}
    for section in _SECTIONS:
        tables = raw.get(section)
        if isinstance(tables, dict):
            healthy[section] = {
                name: table for name, table in tables.items() if (section, name) not in broken
            }
    return {"keys": {}} | healthy
