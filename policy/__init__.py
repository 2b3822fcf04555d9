"""Pure policy: payload bytes in, facts and decisions out.

Nothing in this package reads a clock, a file, a socket or a token; time and
usage come in as arguments.
"""
