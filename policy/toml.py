"""TOML, the language of every document that people write about a policy."""

from typing import Any

import rtoml

from policy.problems import PolicyError, Problem


def parse(text: str) -> dict[str, Any]:
    """Return what a TOML document (1.1) says.

    Raises:
        PolicyError: it is not TOML, or nests too deeply; the problem has no path but
            says the line and the column.
    """
    try:
        return rtoml.loads(text)
    except ValueError as error:  # a lone surrogate is one too
        raise PolicyError([Problem("", f"is not TOML: {error}")]) from None
