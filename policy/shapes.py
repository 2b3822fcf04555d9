"""What of a document has the right shape, table by table, and what is wrong with the rest."""

from collections.abc import Collection, Iterator
from typing import Any

from pydantic import ValidationError

from policy.claims import Claim, Reader
from policy.field_types import VERSION
from policy.problems import Location, Problem, from_pydantic
from policy.schema import Key, Outline

_DEEPEST = 4  # parts of the longest place that ``_table`` returns


class Shapes:
    """Reads one document; ``problems`` and the places of ``broken`` tables grow meanwhile.

    A broken table is left out, so that the others are still compiled.
    """

    def __init__(self, raw: dict[str, Any]) -> None:
        self.problems: list[Problem] = []
        self.broken: set[Location] = set()
        self.outline = self._outline(raw)

    def each_key(self) -> Iterator[tuple[str, Key, list[Claim]]]:
        """Return the keys, one after the other: each takes the memory of the one before."""
        reader = Reader()
        for name, raw in self.outline.keys.items():
            place = ("keys", name)
            try:
                key, claims = reader.read(raw)
            except ValidationError as error:
                self._note(error, place)
                if place in self.broken:
                    continue
                key, claims = reader.read(_without(raw, self.broken, place))
            yield name, key, claims

    def _outline(self, raw: dict[str, Any]) -> Outline:
        try:
            return Outline.model_validate(raw)
        except ValidationError as error:
            self._note(error, ())
        healthy = {"keys": {}} | _without(raw, self.broken) | {"schema": VERSION}
        return Outline.model_validate(healthy)

    def _note(self, error: ValidationError, place: Location) -> None:
        for item in error.errors():
            item["loc"] = (*place, *item["loc"])
            self.broken.add(_table(item["loc"]))
            self.problems.append(from_pydantic(item))


def _table(location: Location) -> Location:
    """Return the place of the smallest table that is compiled on its own."""
    match location:
        case ("keys", _, "grants" | "limits", int(), *_):
            return location[:4]
        case _:
            return location[:2]


def _without(node: Any, broken: Collection[Location], place: Location = ()) -> Any:
    """Copy a tree without its broken tables; in a list, None keeps the place of one."""
    if len(place) == _DEEPEST:
        return node
    if isinstance(node, dict):
        return {
            name: _without(child, broken, (*place, name))
            for name, child in node.items()
            if (*place, name) not in broken
        }
    if isinstance(node, list):
        return [None if (*place, index) in broken else child for index, child in enumerate(node)]
    return node
