"""Counting what came of each payload, around the use case."""

from collections.abc import Sequence

from signer.errors import SigngateError
from signer.metrics.meter import Meter
from signer.model import Ledger, Signed, SignRequest
from signer.signing import Pool, Result, Signing


class CountedSigning(Signing):
    """Signs as ``Signing`` does, and counts."""

    def __init__(self, ledger: Ledger, pool: Pool, meter: Meter) -> None:
        super().__init__(ledger, pool)
        self._meter = meter

    def sign(self, requests: Sequence[SignRequest], deadline: float) -> list[Result]:
        """Sign as ``Signing.sign`` does."""
        try:
            results = super().sign(requests, deadline)
        except SigngateError as error:
            self._count(requests, [error] * len(requests))
            raise
        self._count(requests, results)
        return results

    def _count(self, requests: Sequence[SignRequest], results: Sequence[Result]) -> None:
        for request, result in zip(requests, results, strict=True):
            self._meter.finished(request.key, _outcome(result))


def _outcome(result: Result) -> str:
    if isinstance(result, SigngateError):
        return result.code
    if isinstance(result, Signed):
        return "REPLAYED" if result.replayed else "SIGNED"
    return "VALIDATED"
