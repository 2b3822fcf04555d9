"""The operational log: JSON lines on standard error, without payloads or secrets.

What was decided stands in the audit log; this one tells how the service fares.
"""

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Write JSON lines from ``level`` (debug, info, warning, error) up."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
