"""What an operator watches: counted beside the requests, put together when it is asked for.

Each process counts for itself, with no file and no socket in a request's way. The
process with the control port asks the others over Unix sockets in a private directory
and serves all of it over HTTP, so that a scrape takes no more of a signing process than
one snapshot. ``families`` names every metric.
"""
