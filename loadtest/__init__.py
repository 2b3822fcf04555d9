"""An open-loop load generator for the signing port, whose figures can be trusted.

See README.md for how to run it and how to read what it says.
"""
