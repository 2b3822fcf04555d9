"""The demonstration's server in the foreground, with everything a client needs.

Usage: python -m deploy.dev.serve [DIRECTORY]   (default .dev/server, kept between runs)
"""

import os
import sys
from pathlib import Path

from deploy.dev import environment

LISTEN = ("127.0.0.1:8443", "127.0.0.1:8444")


def main(arguments: list[str]) -> None:
    """Create the directory once, say where everything is, become the server."""
    directory = Path(arguments[0] if arguments else ".dev/server").resolve()
    here = environment.Environment(directory)
    if not here.config.exists():
        here = environment.create(directory, listen=LISTEN)
    print(f"signing port   {LISTEN[0]}   with wallet.crt, payments.crt or desk.crt")
    print(f"control port   {LISTEN[1]}   with officer-a.crt or siem.crt")
    print(f"certificates   {directory}  (NAME.crt, NAME.key, ca.crt)")
    print("stop           Ctrl-C", flush=True)
    command = [str(environment.SIGNGATE), "serve", "--config", str(here.config)]
    os.execve(command[0], command, here.variables)  # noqa: S606 - replaces this process


if __name__ == "__main__":
    main(sys.argv[1:])
