"""``python -m signer.cli``."""

from signer.cli import main

main()
