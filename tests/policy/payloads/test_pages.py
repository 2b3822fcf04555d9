"""Every payload format has a page, and the README leads to it."""

from pathlib import Path

import pytest

import policy
from policy.payloads import FORMATS

ROOT = Path(policy.__file__).parents[1]
DOCS = ROOT / "policy/payloads/docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("tag", sorted(FORMATS))
def test_a_format_has_its_page(tag: str) -> None:
    """The page names the format, each of its actions and how long decoding takes."""
    page = (DOCS / f"{tag}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {tag}\n")
    assert not [action for action in FORMATS[tag].actions if f"`{action}`" not in page]
    assert "\nSpecification: " in page
    assert "\nTiming: " in page
    assert f"[`{tag}`](policy/payloads/docs/{tag}.md)" in README


def test_no_page_is_left_behind() -> None:
    """A page of a format that is gone would promise what nothing keeps."""
    assert {path.stem for path in DOCS.glob("*.md")} == {*FORMATS, "README"}
