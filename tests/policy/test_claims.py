"""Keys as they are written: what is known again, and what is not."""

from typing import Any

from policy.claims import MOST, Claim, Reader

Tree = dict[str, Any]
PLACES = ("acme", "umbrella")


def _grant(name: str, *callers: str, **terms: object) -> Tree:
    held = {"id": name, "callers": list(callers) or ["a.example"]}
    return (
        held
        | {"action": "intent.transfer", "destinations": list(PLACES), "assets": ["USD"]}
        | terms
    )


def _key(*grants: Tree | None) -> Tree:
    windows = [{"span": "1h", "total": "1"}]
    limits = [{"asset": "USD", "per_request": "1", "windows": windows}]
    return {"algorithm": "ed25519", "payloads": ["intent"], "grants": [*grants], "limits": limits}


def _read(reader: Reader, *grants: Tree | None) -> list[Claim]:
    return reader.read(_key(*grants))[1]


def test_the_same_terms_are_read_once() -> None:
    """Another grant with them has its own name and callers, and is not read again."""
    reader = Reader()
    first, second = _read(reader, _grant("one"), _grant("two", sources=["vault"]))
    again, new = _read(
        reader, _grant("three", "b.example", "c.example"), _grant("four", sides=["buy"])
    )
    assert again.terms is first.terms
    assert again.mark == first.mark
    assert (again.id, again.callers) == ("three", ["b.example", "c.example"])
    assert len({first.mark, second.mark, new.mark}) == 3
    assert (new.id, new.callers) == ("four", ["a.example"])
    assert new.terms is not None
    assert new.terms.sides == ["buy"]


def test_content_makes_terms_the_same() -> None:
    """Not which objects hold it: a document's parser may share equal strings or not."""
    shared, *_ = names = ["x" * 64, "".join("x" for _ in range(64))]
    assert names[0] is not names[1]
    reader = Reader()
    (first,) = _read(reader, _grant("one", venues=[shared], symbols=[shared]))
    (again,) = _read(reader, _grant("two", venues=[names[0]], symbols=[names[1]]))
    assert again.mark == first.mark
    assert again.terms is first.terms


def test_only_so_many_terms_are_known_again() -> None:
    """A document with ever new terms does not fill the memory."""
    reader = Reader()
    grants = [_grant("g", symbols=[f"S{number}"]) for number in range(MOST + 1)]
    first, again = _read(reader, *grants), _read(reader, *grants)
    known = [one.terms is other.terms for one, other in zip(first, again, strict=True)]
    assert known == [True] * MOST + [False]


def test_a_broken_grant_is_nobodys() -> None:
    """What stands for one whose problems are reported has no name, no terms and no mark."""
    reader = Reader()
    _read(reader, _grant("one"))
    for grants in ((None,), (_grant("two"), None)):
        broken = _read(reader, *grants)[-1]
        assert broken == Claim("", [], None, None)
