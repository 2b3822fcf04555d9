"""Policy documents: TOML text in; a compiled policy, or everything wrong with it, out.

The content hash is over the document's exact bytes: a comment counts, since it
was reviewed too.
"""

import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from policy.actions import Actions
from policy.compile import KeyCompiler
from policy.granting import Made, compiled_prices
from policy.groups import grouped
from policy.model import Format
from policy.names import Names
from policy.pins import pinned
from policy.problems import EMPTY, PolicyError, at
from policy.rules import Policy
from policy.shapes import Shapes
from policy.toml import parse

# Python 3.12 has frozen some objects of its own when it begins.
_FROZEN_AT_FIRST = gc.get_freeze_count()


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
            _outlast()
            gc.enable()


def _outlast() -> None:
    """Put what there is with the oldest objects: the youngest would be gone over at once."""
    if gc.get_freeze_count() <= _FROZEN_AT_FIRST:  # what others froze stays frozen
        gc.freeze()
        gc.unfreeze()


def _load(text: str, formats: Mapping[str, Format]) -> Policy:
    raw = parse(text)
    shapes = Shapes(raw)
    outline = shapes.outline
    names = Names(outline, shapes.broken)
    calls = pinned(outline.contracts, names)
    actions = Actions(formats, calls.values())
    made = Made()
    keys = {
        name: KeyCompiler(name, table, names, actions, made).compile(claims)
        for name, table, claims in shapes.each_key()
    }
    keys = grouped(outline.groups, keys, names)
    markets = {
        name: compiled_prices(("markets", name), table, names)
        for name, table in outline.markets.items()
    }
    problems = shapes.problems + names.problems
    if raw.get("keys") == {}:
        problems.append(at(("keys",), EMPTY))
    if problems:
        raise PolicyError(problems)
    return Policy(hashlib.sha256(text.encode()).hexdigest(), keys, names.known(), calls, markets)
