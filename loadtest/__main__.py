"""``python -m loadtest``."""

from loadtest import ending
from loadtest.cli import app

if __name__ == "__main__":  # a spawned worker imports this file as well
    ending.as_by_hand()
    app()
