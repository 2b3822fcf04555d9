"""Write the table of refusals in the documentation from the code, or check that it matches.

Usage: python -m deploy.dev.refusals [--check]
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.rpc import code_pb2

from policy.reasons import Code as Policy
from policy.reasons import Explained
from signer.codes import Code as Service
from signer.rpc.status import STATUS

PAGE = Path(__file__).parents[2] / "deploy/docs/refusals.md"
_HEAD = """\
# Refusals

Whoever is refused gets a gRPC status and a `google.rpc.ErrorInfo` of domain `signgate`, whose \
`reason` is one of these codes. A code is stable: it is never renamed and never reused. The first \
failed rule is told to the caller; the audit record, whose index is in `audit_index`, has them all.

`make refusals` writes this page from the code.
"""
_SECTIONS: tuple[tuple[str, type[Explained]], ...] = (
    ("What the policy refuses", Policy),
    ("What the service refuses or cannot do", Service),
)


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    parts += [f"\n## {title}\n\n" + "\n".join(_table(codes)) + "\n" for title, codes in _SECTIONS]
    return "".join(parts)


def _table(codes: Iterable[Explained]) -> Iterator[str]:
    yield "| reason | status | meaning | what to do |"
    yield "|---|---|---|---|"
    for code in codes:
        status = code_pb2.Code.Name(STATUS[code])  # type: ignore[index] # Policy and Service
        yield f"| `{code}` | `{status}` | {code.meaning} | {code.advice} |"


def main(arguments: list[str], path: Path = PAGE) -> None:
    """Write the page, or with --check compare it and exit 1 on a difference."""
    if "--check" not in arguments:
        path.write_text(page(), encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != page():
        sys.exit(f"{path.name} does not match the code, run `make refusals`")


if __name__ == "__main__":
    main(sys.argv[1:])
