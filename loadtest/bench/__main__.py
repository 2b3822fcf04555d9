"""Run as ``python -m loadtest.bench``; the benchmarks' processes are started by import."""

from loadtest.bench.cli import main

if __name__ == "__main__":
    main()
