"""Token buckets for callers and keys, in this process's memory.

A refusal costs no transaction: otherwise a flood of requests would be one of
transactions. So the buckets are each process's own, and with N signing processes a caller
gets at most N times its rate. Limits on what leaves are the policy's, in the ledger.

Half of a key's rate is shared by the callers granted on it, half is reserved for them in
equal parts, so that one of them cannot use it all up. Callers without a grant on a key
count against their own rate only.
"""

import threading
from collections.abc import Callable

from policy.rules import Policy
from signer.config import Rate, Rates
from signer.errors import RateLimitedError
from signer.model import Limited

POLICY_SECONDS = 1.0  # how long a policy that is no longer in force may count callers


class Bucket:
    """Tokens that come back at a steady rate."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token and return 0; or return in how many seconds there is one."""
        passed = now - self._at
        if passed > 0:  # else the clock stands still, or was read by another thread later
            self._tokens = min(self._burst, self._tokens + passed * self._rate)
            self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


class Limiter:
    """Lets a request through or refuses it, in a few microseconds and without a transaction.

    Safe to share among threads. Whatever goes wrong in it is an error of the request: a
    limiter that fails denies.
    """

    def __init__(
        self,
        rates: Rates,
        policy: Callable[[], Policy | None],
        clock: Callable[[], float],
        refused: Callable[[Limited], None],
    ) -> None:
        """``clock`` returns seconds that never go back; ``refused`` is told of each refusal."""
        self._rates = rates
        self._read_policy = policy
        self._clock = clock
        self._refused = refused
        self._lock = threading.Lock()
        self._callers: dict[str, Bucket] = {}
        self._keys: dict[tuple[str, str], Bucket] = {}  # by key and caller; "" is the shared half
        self._policy: Policy | None = None
        self._read_at = float("-inf")
        self._limits_keys = rates.key is not None or bool(rates.keys)

    def admit(self, caller: str, key: str) -> None:
        """Let one request through.

        Raises:
            RateLimitedError: the caller or the key has had its share; says for how long.
        """
        with self._lock:
            now = self._clock()
            by, seconds = "caller", self._caller(caller, now)
            if not seconds and self._limits_keys:
                by, seconds = f"key {key}", self._key(caller, key, now)
        if seconds:
            self._refused(Limited(caller, by))
            raise RateLimitedError(f"too many requests of this {by.partition(' ')[0]}", seconds)

    def _caller(self, caller: str, now: float) -> float:
        bucket = self._callers.get(caller)
        if bucket is None:
            rate = self._rates.callers.get(caller, self._rates.caller)
            if rate is None:
                return 0.0
            bucket = self._callers[caller] = Bucket(rate.per_second, rate.burst, now)
        return bucket.take(now)

    def _key(self, caller: str, key: str, now: float) -> float:
        rate = self._rates.keys.get(key, self._rates.key)
        if rate is None:
            return 0.0
        sharers = self._sharers(caller, key, now)
        if not sharers:
            return 0.0  # the policy refuses it
        own = self._half(key, caller, rate, sharers, now).take(now)
        return own and min(own, self._half(key, "", rate, 1, now).take(now))

    def _half(self, key: str, caller: str, rate: Rate, parts: int, now: float) -> Bucket:
        bucket = self._keys.get((key, caller))
        if bucket is None:
            share = 2 * parts
            burst = max(1.0, rate.burst / share)
            bucket = self._keys[key, caller] = Bucket(rate.per_second / share, burst, now)
        return bucket

    def _sharers(self, caller: str, key: str, now: float) -> int:
        """Return how many callers share a key; 0 if this one is not among them."""
        if now - self._read_at >= POLICY_SECONDS:
            policy = self._read_policy()
            if policy is not self._policy:
                self._policy = policy
                self._keys.clear()
            self._read_at = now
        found = self._policy.keys.get(key) if self._policy else None
        return len(found.callers) if found is not None and caller in found.callers else 0
