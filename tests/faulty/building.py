"""Builds the C programs of this directory, once for each state of their sources."""

import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.faulty.layout import SOURCES

_BUILD: Final = Path(__file__).parents[2] / "build" / "faulty"
_FLAGS: Final = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
_MODULE_FLAGS: Final = ("-shared", "-fPIC", "-fvisibility=hidden", "-lm")
_LOOP: Final = SOURCES / "loop.c"


def module() -> Path:
    """Return the PKCS#11 module that injects faults."""
    sources = sorted(set(SOURCES.glob("*.c")) - {_LOOP})
    return _built("faulty.so", sources, _MODULE_FLAGS)


def loop() -> Path:
    """Return the program that signs in a plain C loop; loop.c describes its arguments."""
    return _built("loop", [_LOOP], ())


def _built(name: str, sources: list[Path], flags: tuple[str, ...]) -> Path:
    target = _BUILD / _digest(flags) / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _compile(target, sources, flags)
    return target


def _digest(flags: tuple[str, ...]) -> str:
    texts = [file.read_bytes() for file in sorted(SOURCES.glob("*.[ch]"))]
    return hashlib.sha256(b"\0".join([repr((_FLAGS, flags)).encode(), *texts])).hexdigest()[:16]


def _compile(target: Path, sources: list[Path], flags: tuple[str, ...]) -> None:
    # Test processes side by side may build the same; the last one wins, whole.
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        output = Path(directory) / target.name
        command = ["gcc", *_FLAGS, *map(str, sources), "-o", str(output), "-ldl", *flags]
        subprocess.run(command, check=True)
        output.replace(target)
