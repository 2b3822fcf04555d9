"""The command ``signgate``."""

import os
import sys

EXIT_FAILURE = 1

# The transport reads its environment once, when grpc is first imported.
TRANSPORT = {
    # grpc offers TLS 1.2 and cannot be told not to. The cipher list rules 1.2 only, and
    # this suite needs a pre-shared key that nobody has: so 1.2 never agrees on one.
    "GRPC_SSL_CIPHER_SUITES": "ECDHE-PSK-CHACHA20-POLY1305",
    # Its own log is not JSON, and repeats what is reported as one clear line.
    "GRPC_VERBOSITY": "NONE",
}


def main() -> None:
    """Run the command; every expected failure is one line on standard error."""
    os.environ.update(TRANSPORT)
    from signer.cli.commands import app  # noqa: PLC0415 - loads grpc
    from signer.errors import EXIT_RESTART, RestartNeededError, SigngateError  # noqa: PLC0415 - loaded when needed

    try:
        app()
    except SigngateError as error:
        print(f"signgate: {error}", file=sys.stderr)
        sys.exit(EXIT_RESTART if isinstance(error, RestartNeededError) else EXIT_FAILURE)
