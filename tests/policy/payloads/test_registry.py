"""The registry of payload formats: one owner for each tag and each action."""

from dataclasses import replace
from pathlib import Path

import pytest

from policy.payloads import FORMATS, MAX_BYTES, decode, ethereum, intent, registry
from policy.reasons import Code, PayloadError
from tests.policy.payloads.examples import intent as payload
from tests.policy.payloads.examples import refusal

PAGES = Path(__file__).parents[3] / "policy/payloads/docs"


def test_both_formats_are_there() -> None:
    """Every tag leads to the format that carries it."""
    assert {"intent", "ethereum.transaction"} <= FORMATS.keys()
    assert all(tag == item.tag for tag, item in FORMATS.items())


def test_a_taken_tag_is_refused() -> None:
    """Two formats never share a tag."""
    other = replace(intent.FORMAT, actions=frozenset({"other"}))
    with pytest.raises(ValueError, match="the tag intent is taken"):
        registry([intent.FORMAT, other])


def test_a_taken_action_is_refused() -> None:
    """Two formats never share an action, or a grant for one would allow the other."""
    other = replace(ethereum.FORMAT, actions=frozenset({"intent.transfer"}))
    with pytest.raises(ValueError, match=r"the action intent\.transfer is taken by intent"):
        registry([intent.FORMAT, other])


def test_the_registry_cannot_change() -> None:
    """Nothing adds a format after the import."""
    with pytest.raises(TypeError):
        FORMATS["intent"] = ethereum.FORMAT  # type: ignore[index]  # what must not work


@pytest.mark.parametrize(
    "tag", ["", "Intent", "intent ", "ethereum", "ethereum.transaction\0", "ïntent", "x" * 10_000]
)
def test_an_unknown_tag_is_refused(tag: str) -> None:
    """Only the exact tag names a format, and the reason stays short."""
    reason = refusal(tag, payload())
    assert reason.code is Code.PAYLOAD_UNSUPPORTED
    assert reason.rule == "payload_format"
    assert len(reason.detail) < 300


def test_a_long_tag_is_shown_by_its_start() -> None:
    """Of a tag that is none, 64 characters are told, and how many there are."""
    reason = refusal("x" * 65, payload())
    start = "x" * 64
    assert reason.detail == f"'{start}' is none of the {len(FORMATS)} payload formats"


@pytest.mark.parametrize("tag", sorted(FORMATS))
def test_a_payload_over_the_size_limit_is_refused_unread(tag: str) -> None:
    """One byte over the limit is refused before any decoder sees it."""
    reason = refusal(tag, b" " * (MAX_BYTES + 1))
    assert (reason.code, reason.rule) == (Code.PAYLOAD_TOO_LARGE, "payload")


def test_the_size_limit_is_the_callers_to_set() -> None:
    """A payload of exactly the limit is decoded, one byte more is not."""
    exact = payload()
    assert decode("intent", exact, max_bytes=len(exact)).message == exact
    with pytest.raises(PayloadError) as caught:
        decode("intent", exact, max_bytes=len(exact) - 1)
    assert caught.value.reason.code is Code.PAYLOAD_TOO_LARGE


@pytest.mark.parametrize("tag", sorted(FORMATS))
def test_every_format_has_a_page_that_names_its_actions(tag: str) -> None:
    """Whoever writes a grant finds each action of a format on the format's page."""
    page = (PAGES / f"{tag}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {tag}\n")
    missing = [action for action in FORMATS[tag].actions if f"`{action}`" not in page]
    assert missing == []
