"""Coverage-guided fuzzing of a decoder: ``python -m tests.fuzz.decoders TAG CORPUS``.

What follows are options of libFuzzer. ``all`` takes the format from the first byte.
The contract is in ``tests.fuzz.contract``.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["policy"]):
    from policy.payloads import FORMATS

from tests.fuzz.contract import check
from tests.policy.payloads.seeds import SEEDS

ALL = "all"
TAGS = sorted(FORMATS)


def target(tag: str) -> Callable[[bytes], object]:
    """Return what libFuzzer calls."""
    if tag == ALL:
        return lambda data: data and check(TAGS[data[0] % len(TAGS)], data[1:])
    return lambda data: check(tag, data)


def plant(tag: str, corpus: Path) -> None:
    """Write the valid payloads where libFuzzer starts from."""
    corpus.mkdir(parents=True, exist_ok=True)
    for at, found in enumerate(TAGS):
        if tag in {ALL, found}:
            prefix = bytes((at,)) if tag == ALL else b""
            for number, payload in enumerate(SEEDS[found]):
                (corpus / f"seed-{found}-{number}").write_bytes(prefix + payload)


def main() -> None:
    """Fuzz until the options say that it is enough; ends the process."""
    program, tag, corpus, *options = sys.argv
    if tag not in {ALL, *TAGS}:
        sys.exit(f"{tag} is none of: {ALL}, {', '.join(TAGS)}")
    plant(tag, Path(corpus))
    atheris.Setup([program, *options, corpus], target(tag))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
