"""Trees as TOML text, and words as patterns."""

import json
import re
from datetime import date
from json.encoder import encode_basestring_ascii
from typing import Any


def toml(tree: dict[str, Any]) -> str:
    """Write a tree as a document, a line for each name at its top."""
    return "\n".join(f"{name} = {_value(value)}" for name, value in tree.items())


def _value(value: object) -> str:
    """Write a value as TOML; JSON's spelling of strings and numbers is TOML's too."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value)


def exactly(words: str) -> str:
    """Return the pattern of these words and no more."""
    return rf"\A{re.escape(words)}\Z"
