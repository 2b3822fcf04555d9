"""The one use case: decode, decide, sign, release. Read it from top to bottom.

1. ``policy.payloads`` turns the payload's bytes into facts and the exact message.
2. ``signer.ledger`` decides in one transaction and mints an approval.
3. ``signer.hsm`` signs what the approval names, while or after that becomes durable, and
   verifies the signature.
4. Only then does the signature leave, and its outcome becomes an audit record.
"""

from collections.abc import Hashable, Sequence
from typing import Protocol

import structlog

from signer.errors import (
    ConflictError,
    HsmError,
    LedgerUnavailableError,
    OutcomeUnknownError,
    RefusedError,
    SigngateError,
)
from signer.gathering import Gathering, Turn
from signer.making import Maker, Making
from signer.model import (
    Conflict,
    Granted,
    Ledger,
    Outcome,
    Refused,
    Signed,
    SignRequest,
    Validated,
    Verdict,
)

# Requests in a round of several callers; a caller with so many goes alone; rounds at once,
# so that one can sign while another waits for the disk; but one after the other from so
# many requests on, which costs less than it loses.
GATHERED, ALONE, ROUNDS, LARGE = 64, 16, 2, 8

# So many requests at most have their signatures begun before the commit: to begin more takes
# as long as the disk does, and other processes on the ledger would wait meanwhile.
EARLY = 32

Result = Signed | Validated | SigngateError

_log = structlog.get_logger(__name__)


class Pool(Maker, Protocol):
    """The HSM, as this use case sees it: see ``signer.hsm.Pool``."""

    def company(self, key: str) -> Hashable:
        """Return what the keys have in common whose requests may wait for one another.

        None: they wait for nobody.
        """


class _Asked(Turn[list[Result]]):
    """What one caller asks for."""

    __slots__ = ("deadline", "requests")

    def __init__(self, requests: Sequence[SignRequest], deadline: float) -> None:
        super().__init__(len(requests))
        self.requests = requests
        self.deadline = deadline


class Signing:
    """Signs what the policy allows.

    Where the token is quick the requests of several callers go the way together: the
    threads' wake-ups cost more than the signatures. Orders never wait for wallets' batches.
    """

    def __init__(self, ledger: Ledger, pool: Pool) -> None:
        self._ledger = ledger
        self._pool = pool
        self._gatherings: dict[Hashable, Gathering[_Asked]] = {}  # by company

    def sign(self, requests: Sequence[SignRequest], deadline: float) -> list[Result]:
        """Decide all requests in one transaction, sign what was granted, in order.

        ``deadline`` is in seconds of ``time.monotonic``. Each request succeeds or
        fails alone: its result is a signature or the error that its caller is told.

        Raises:
            LedgerUnavailableError: nothing was decided and nothing was signed.
        """
        gathering = self._gathering(requests)
        if gathering is None:
            return self._sign(requests, [deadline] * len(requests))
        asked = _Asked(requests, deadline)
        gathering.submit(asked)
        return asked.result()

    def company(self, key: str) -> Hashable:
        """Return what a key has in common with those whose requests may wait for its own.

        None: nobody's request waits for another.
        """
        return self._pool.company(key)

    def sign_round(
        self, requests: Sequence[SignRequest], deadlines: Sequence[float]
    ) -> list[Result | Exception]:
        """Do as ``sign``, for requests of several callers: none suffers from another's."""
        try:
            return list(self._sign(requests, deadlines))
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            if len(requests) == 1 or isinstance(error, LedgerUnavailableError):
                return [error] * len(requests)
        each = zip(requests, deadlines, strict=True)  # one of them can't be decided
        return [self.sign_round([request], [deadline])[0] for request, deadline in each]

    def _gathering(self, requests: Sequence[SignRequest]) -> Gathering[_Asked] | None:
        """Return where requests wait for others; None for those that go alone."""
        if len(requests) >= ALONE:
            return None
        companies = {self._pool.company(item.key) for item in requests}
        if len(companies) != 1 or None in companies:
            return None
        company = companies.pop()
        found = self._gatherings.get(company)
        if found is None:
            made = Gathering(self._sign_together, GATHERED, _lost, ROUNDS, LARGE)
            found = self._gatherings.setdefault(company, made)
        return found

    def _sign_together(self, asked: Sequence[_Asked]) -> None:
        requests = [request for each in asked for request in each.requests]
        deadlines = [each.deadline for each in asked for _ in each.requests]
        try:
            results = iter(self._sign(requests, deadlines))
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            self._failed(asked, error)
            return
        for each in asked:
            each.keep([next(results) for _ in each.requests])
            each.finish()

    def _failed(self, asked: Sequence[_Asked], error: Exception) -> None:
        if len(asked) == 1 or isinstance(error, LedgerUnavailableError):
            for each in asked:
                each.finish(error)
        else:  # one of them can't be decided: the others must not suffer
            for each in asked:
                self._sign_together([each])

    def _sign(self, requests: Sequence[SignRequest], deadlines: Sequence[float]) -> list[Result]:
        making = Making(self._pool, deadlines)
        try:
            early = making.begin_early if len(requests) <= EARLY else None
            verdicts = self._ledger.decide(requests, early)
        except BaseException:
            making.drop()
            raise
        released = iter(self._release(verdicts, making))
        return [
            next(released) if isinstance(verdict, Granted) else _told(verdict)
            for verdict in verdicts
        ]

    def _release(self, verdicts: Sequence[Verdict], making: Making) -> Sequence[Result]:
        granted = [verdict for verdict in verdicts if isinstance(verdict, Granted)]
        if not granted:
            return ()
        try:
            signatures = making.finish(verdicts)
        except Exception as error:  # noqa: BLE001 - a bug must not leave a request without an outcome
            signatures = [error] * len(granted)
        results = list(map(_result, granted, signatures))
        self._ledger.settle(list(map(_outcome, granted, results)))
        return results


def _lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("internal error")


def _told(verdict: Refused | Conflict | Signed | Validated) -> Result:
    match verdict:
        case Refused():
            return RefusedError(verdict.reasons, verdict.leaf_index, verdict.hold)
        case Conflict():
            return ConflictError(verdict.code)
        case Signed() | Validated():
            return verdict


def _result(granted: Granted, signature: bytes | Exception) -> Signed | HsmError:
    key_version = granted.approval.key_version
    if isinstance(signature, bytes):
        return Signed(key_version, signature, granted.leaf_index, granted.policy_version)
    if isinstance(signature, HsmError):
        return signature
    _log.error("signing failed", key_version=key_version, exc_info=signature)
    return OutcomeUnknownError("internal error")


def _outcome(granted: Granted, result: Signed | HsmError) -> Outcome:
    if isinstance(result, Signed):
        return Outcome(granted.approval, result.signature)
    detail = f"{type(result).__name__}: {result}"
    return Outcome(granted.approval, None, refused=result.certain, detail=detail)
