"""What single fields of a document may hold: checked on their own, and never converted."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from policy import amounts, assets, fields, networks

VERSION = 1

_RECURRING = 1024  # strings of a kind that are checked once: most documents repeat theirs

_T = TypeVar("_T")


def checked(parse: Callable[[str], object]) -> AfterValidator:
    """Return a check of texts that ``parse`` takes, or raises ``ValueError`` of."""

    @lru_cache(maxsize=_RECURRING)
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def _no_repeats(items: list[_T]) -> list[_T]:
    for index, item in enumerate(items[1:], 1):
        if item in items[:index]:
            raise ValueError(f"{item} is listed twice")
    return items


def _readable(version: int) -> int:
    if version != VERSION:
        raise ValueError(f"schema {version} is not known here; write schema = {VERSION}")
    return version


Many = Annotated[list[_T], Field(min_length=1), AfterValidator(_no_repeats)]
# None stands for a table whose problems are reported already; TOML cannot say it.
Tables = Annotated[list[_T | None], Field(min_length=1)]
Name = Annotated[str, checked(fields.name)]
Label = Annotated[str, checked(fields.label)]
San = Annotated[str, checked(fields.san)]
Address = Annotated[str, checked(fields.address)]
TokenContract = Annotated[str, checked(fields.word)]
AssetName = Annotated[str, checked(assets.check_name)]
Amount = Annotated[str, checked(amounts.check)]
Span = Annotated[str, checked(fields.span_ms)]
Destination = Annotated[str, checked(fields.destination)]
Word = Annotated[str, checked(fields.word)]
Network = Annotated[str, checked(networks.parse)]
Instant = Annotated[str, checked(fields.instant_ms)]
Positive = Annotated[int, Field(ge=1)]
SchemaVersion = Annotated[int, AfterValidator(_readable), Field(alias="schema")]
