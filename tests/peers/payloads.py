"""Writes the valid Ethereum payloads for the JavaScript peer, one a line of JSON."""

import json
import sys

from tests.policy.payloads.examples import VALID


def main() -> None:
    """Write them in the order of their formats."""
    for tag in sorted(VALID):
        if tag.startswith("ethereum."):
            for payload in VALID[tag]:
                line = {"format": tag, "payload": "0x" + payload.hex()}
                sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
