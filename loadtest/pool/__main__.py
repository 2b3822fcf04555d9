"""Run as ``python -m loadtest.pool``; the measured processes are started by import."""

from loadtest.pool.cli import main

if __name__ == "__main__":
    main()
