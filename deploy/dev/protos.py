"""Generate ``signer/v1`` from ``proto/``, or check that it matches.

Usage: python -m deploy.dev.protos [--check]
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import google.api
import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).parents[2]
INCLUDES = (
    ROOT / "proto",
    Path(next(iter(google.api.__path__))).parents[1],
    Path(grpc_tools.__path__[0]) / "_proto",
)
PLUGINS = ("python", "grpc_python", "mypy", "mypy_grpc")


def generate(out: Path) -> None:
    """Write the modules of every proto file under ``out``."""
    sources = sorted((ROOT / "proto").rglob("*.proto"))
    includes = [f"-I{path}" for path in INCLUDES]
    outputs = [f"--{plugin}_out={'quiet:' if 'mypy' in plugin else ''}{out}" for plugin in PLUGINS]
    if protoc.main(["protoc", *includes, *outputs, *map(str, sources)]) != 0:
        sys.exit("protoc failed")


def differences(expected: Path, found: Path) -> list[str]:
    """Name the generated files that are missing, superfluous or different."""
    names = {path.name for path in (*expected.glob("*_pb2*"), *found.glob("*_pb2*"))}
    return sorted(name for name in names if _read(expected / name) != _read(found / name))


def _read(path: Path) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def main(arguments: list[str]) -> None:
    """Generate in place, or with --check compare and exit 1 on a difference."""
    # The plugins of protoc are found beside the interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if "--check" not in arguments:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as directory:
        generate(Path(directory))
        wrong = differences(Path(directory) / "signer/v1", ROOT / "signer/v1")
    if wrong:
        sys.exit(f"signer/v1 does not match proto/, run `make proto`: {', '.join(wrong)}")


if __name__ == "__main__":
    main(sys.argv[1:])
