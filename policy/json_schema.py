"""The JSON Schema of policy documents (2020-12), for editors that complete and check TOML.

It describes shapes only; what takes a look elsewhere in the document, and the
grammar of its strings, ``signgate policy check`` checks.
"""

import json
import re
from typing import Any

from policy.schema import Document

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE = re.compile(r"^    (\w+?)_?: (.*(?:\n {8}.*)*)", re.MULTILINE)


def document_schema() -> str:
    """Return the schema as JSON text, the same for the same release."""
    schema = _plain(Document.model_json_schema(by_alias=True))
    for table in (schema, *schema["$defs"].values()):
        _describe(table)
    schema = {"$schema": _DIALECT, **schema, "title": "Signgate policy"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _describe(table: dict[str, Any]) -> None:
    """Give each field its own line of the table's docstring."""
    text, _, attributes = table.get("description", "").partition("\n\nAttributes:\n")
    if attributes:
        table["description"] = " ".join(text.split())
    for name, words in _ATTRIBUTE.findall(attributes):
        table["properties"][name]["description"] = " ".join(words.split())


def _plain(node: Any) -> Any:
    """Leave out null, which TOML cannot say, and the titles that pydantic makes of names."""
    if isinstance(node, list):
        return [_plain(item) for item in node if item != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    kept = {name: _plain(item) for name, item in node.items() if not _is_noise(name, item)}
    options = kept.get("anyOf", ())
    if len(options) == 1:
        del kept["anyOf"]
        kept |= options[0]
    return kept


def _is_noise(name: str, item: object) -> bool:
    return (name == "title" and isinstance(item, str)) or (name == "default" and item is None)
