"""Refusing a call before it has a thread, where its caller has enough of them waiting.

Under overload what is refused must not cost what is served: the message is not read, no
thread wakes, and the answer was made once. grpcio has no public way to end a call from
where it hands calls to its pool, so that this, as ``lanes`` does, reaches into it; should
another version be made differently, calls are served rather than lost.
"""

from collections.abc import Callable, Collection
from typing import Any

import structlog
from grpc_health.v1 import health

from signer.errors import RateLimitedError
from signer.model import Limited
from signer.rpc.transport import Refusal, method_of, refuse

RETRY_SECONDS = 0.1
REFUSAL = RateLimitedError("too many calls of this caller wait", RETRY_SECONDS)
HEALTH = f"{health.SERVICE_NAME}/"
_log = structlog.get_logger(__name__)


class Shedding:
    """Ends calls with RATE_LIMITED, as ``signer.rpc.status`` would, and counts them."""

    def __init__(
        self,
        callers: Collection[str],
        refused: Callable[[Limited], None],
        shed: Callable[[str], None],
    ) -> None:
        """Make the answer.

        ``refused`` is told whose call it was, if it is one of ``callers``, for the audit log;
        ``shed`` which method it was.
        """
        self._refusal = Refusal(REFUSAL)
        self._callers = callers
        self._refused = refused
        self._shed = shed

    def __call__(self, lane: str, args: tuple[Any, ...]) -> bool:
        """Refuse a call; False where it is to be served all the same, as health checks are.

        ``args`` are those of ``grpc.server`` for its thread pool: see ``method_of``.
        """
        try:
            method = method_of(args)
            if method.startswith(HEALTH):
                return False
            self._count(lane, method)  # before the caller knows: it may look there at once
            refuse(args[1], args[2], self._refusal)
        except Exception:  # noqa: BLE001 - what cannot be refused here is served
            _log.exception("a call could not be shed")
            return False
        return True

    def _count(self, lane: str, method: str) -> None:
        if lane in self._callers:
            self._refused(Limited(lane, "share"))
        self._shed(method)
