"""Fuzz every decoder in turn: ``python -m tests.fuzz.campaign [--seconds N] [--jobs N] [TAG …]``.

Prints a line for each decoder. A finding is kept beside its corpus, and the exit code is 1.
"""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from policy.payloads import FORMATS

CORPUS = Path("build/fuzz")
_RUNS = re.compile(r"Done (\d+) runs in (\d+) second")


def fuzz(tag: str, seconds: int) -> bool:
    """Fuzz one decoder; returns whether it held to its contract."""
    home = CORPUS / tag
    home.mkdir(parents=True, exist_ok=True)
    options = (f"-max_total_time={seconds}", f"-artifact_prefix={home}/finding-", "-timeout=60")
    command = (sys.executable, "-m", "tests.fuzz.decoders", tag, f"{home}/corpus", *options)
    log = home / "log"
    with log.open("wb") as output:
        code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    done = _RUNS.search(log.read_text(errors="replace"))
    found = f"{done[1]} payloads in {done[2]} s" if done else "did not end by itself"
    print(f"{tag}: {found}, {'no finding' if code == 0 else f'FINDING, see {log}'}", flush=True)
    return code == 0


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each decoder")
    parser.add_argument("--jobs", type=int, default=2, help="decoders at once")
    parser.add_argument("tags", nargs="*", metavar="TAG", help="all formats, without any")
    options = parser.parse_args()
    tags = options.tags or sorted(FORMATS)
    with ThreadPoolExecutor(options.jobs) as pool:
        held = list(pool.map(partial(fuzz, seconds=options.seconds), tags))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
