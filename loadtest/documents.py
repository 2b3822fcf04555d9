"""TOML files that people write: read strictly, every problem reported with its path."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from loadtest.errors import LoadtestError


class Table(BaseModel):
    """A table of such a file: no unknown fields, no conversions."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Document = TypeVar("Document", bound=Table)


def read(path: Path, shape: type[Document]) -> Document:
    """Read a file.

    Raises:
        LoadtestError: one line a problem, each with the file and the place in it.
    """
    try:
        return shape.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LoadtestError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        problems = (
            f"{path}: {_place(item['loc'])}{item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise LoadtestError("\n".join(problems)) from None
    except ValueError as error:
        raise LoadtestError(f"{path}: is not TOML: {error}") from None


def _place(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""
