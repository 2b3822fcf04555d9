"""Benchmarks: what the service costs beside its token, as ratios within one run."""
