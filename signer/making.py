"""The signatures of a round of requests, the first of them begun before its commit.

The token works while the disk does: the latency is the longer of the two and not their
sum. A signature that was begun so is released once its decision is durable, as any.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from signer.approval import Approval
from signer.model import Granted, Verdict

_log = structlog.get_logger(__name__)


class Order(Protocol):
    """Signatures on their way: see ``signer.hsm.order``."""

    def results(self) -> list[bytes | Exception]:
        """Wait for each; returns it verified, or what went wrong."""

    def drop(self) -> None:
        """Begin nothing more, and let nobody have what comes of it."""


class Maker(Protocol):
    """What begins them: see ``signer.hsm.Pool``."""

    def begin(self, approvals: Sequence[Approval], deadlines: Sequence[float]) -> Order:
        """Begin one for each approval, and wait for nothing."""


class Making:
    """What is signed for one round of requests; ``deadlines`` are theirs."""

    def __init__(self, pool: Maker, deadlines: Sequence[float]) -> None:
        self._pool = pool
        self._deadlines = deadlines
        self._begun: set[Approval] = set()
        self._orders: list[tuple[Sequence[Approval], Order]] = []

    def begin_early(self, verdicts: Sequence[Verdict]) -> None:
        """Begin what need not wait for the commit."""
        granted = self._granted(verdicts)
        self._begin(each for each in granted if not each[0].durable_intent)

    def finish(self, verdicts: Sequence[Verdict]) -> list[bytes | Exception]:
        """Begin the rest, and wait; returns the signature of each grant, or what went wrong."""
        granted = self._granted(verdicts)
        self._begin(each for each in granted if each[0] not in self._begun)
        made: dict[Approval, bytes | Exception] = {}
        for approvals, order in self._orders:
            made.update(zip(approvals, order.results(), strict=True))
        return [made[approval] for approval, _ in granted]

    def drop(self) -> None:
        """Let nobody have what was begun: there is no decision for it."""
        for _, order in self._orders:
            order.drop()
        if self._begun:
            _log.error(
                "signatures dropped: their decisions were not committed",
                count=len(self._begun),
            )

    def _granted(self, verdicts: Sequence[Verdict]) -> list[tuple[Approval, float]]:
        each = zip(verdicts, self._deadlines, strict=True)
        return [
            (verdict.approval, deadline)
            for verdict, deadline in each
            if isinstance(verdict, Granted)
        ]

    def _begin(self, wanted: Iterable[tuple[Approval, float]]) -> None:
        each = list(wanted)
        if each:
            approvals, deadlines = zip(*each, strict=True)
            self._begun.update(approvals)
            self._orders.append((approvals, self._pool.begin(approvals, deadlines)))
