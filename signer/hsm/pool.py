"""The pool: keys that are ready to sign, and the only way to a signature.

A caller leaves jobs at the desk and waits; the thread of a session takes one and
calls the token; the caller verifies what comes back. A hand-over costs about 50 µs
of latency against a call in the caller's thread, so a job holds as many signatures
as a session does within two milliseconds. A call that never returns takes a thread
of the pool with it and not its caller.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from pkcs11.exceptions import PKCS11Error

from policy.algorithms import Algorithm
from signer.approval import Approval
from signer.errors import ConfigError, HsmError, HsmRefusedError, HsmUnavailableError
from signer.hsm.catalogue import Entry
from signer.hsm.errors import TokenError, code_of, describe
from signer.hsm.handover import new_desk
from signer.hsm.health import SessionState, SlotState
from signer.hsm.job import TRIES, Job, Way, jobs
from signer.hsm.limits import Limits, Observer, Silent, SlotStatus
from signer.hsm.line import Priority
from signer.hsm.names import KeyVersion
from signer.hsm.order import Order
from signer.hsm.public_key import PublicKey
from signer.hsm.reporting import report
from signer.hsm.session import BoundSession
from signer.hsm.sizer import Sizer
from signer.hsm.sizing import SessionRange
from signer.hsm.slot import Slot, distinct
from signer.hsm.token import Token
from signer.hsm.wanted import Wanted
from signer.hsm.ways import served, ways
from signer.hsm.worker import Worker

CLOSE_SECONDS: Final = 2.0
WAITING_EACH: Final = 4  # requests of a class that may wait for each session
_DEFAULTS: Final = Limits()
_SILENT: Final = Silent()


class Pool:
    """Signs what an approval names, once. Thread-safe.

    It serves the key versions that are on the token when it starts.

    Args:
        tokens: where the keys are; each must hold all of them. They stay the caller's to
            close, after the pool. One that is not available yet is tried again.
        sessions: how many operations may be under way at once on each token; of a range,
            the number is found by measuring.
        redeem: uses an approval up, or raises ``ApprovalInvalidError``.
        limits: see there.
        observer: is told of every signature and failure.

    Raises:
        ConfigError: a key on the token cannot be served; the message names it.
        HsmUnavailableError: no token opens a session.
    """

    def __init__(
        self,
        *tokens: Token,
        sessions: int | SessionRange,
        redeem: Callable[[Approval], None],
        limits: Limits = _DEFAULTS,
        observer: Observer = _SILENT,
    ) -> None:
        self._redeem = redeem
        self._limits = limits
        self._observer = observer
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        least = sessions if isinstance(sessions, int) else sessions.least
        self._desk = new_desk(limits.queue or WAITING_EACH * least * len(tokens))
        self._slots = [
            Slot(token, name, self._slot_changed, self._has_ready, observer.failed)
            for name, token in distinct(tokens)
        ]
        for slot in self._slots:
            slot.neighbours = [other for other in self._slots if other.is_beside(slot)]
        self._workers = [self._worker(slot) for slot in self._slots for _ in range(least)]
        self._entries = self._agreed()
        self._start()
        self._ways = ways(self._entries, limits.bulk_keys)
        self._ways_of: dict[str, list[Way]] = {}
        for way in self._ways.values():
            self._ways_of.setdefault(way.name.key, []).append(way)
        self._sizer: Sizer | None = None
        if isinstance(sessions, SessionRange):
            for slot in self._slots:
                slot.measure()
            self._sizer = Sizer(self, self._slots, sessions, self._stopping)
            self._sizer.start()

    def sign(self, approval: Approval, deadline: float, *, slot: str | None = None) -> bytes:
        """Sign exactly what was approved; the signature is verified before it leaves.

        Args:
            approval: outstanding; it is used up whatever comes of it.
            deadline: how long to wait, in seconds of ``time.monotonic``.
            slot: sign by this one, with one try, and not by the first that has time.

        Returns:
            r || s for ECDSA (64 bytes, low-S on secp256k1), the plain octets for
            everything else; one signature after the other where several messages
            were approved.

        Raises:
            ApprovalInvalidError: forged, or used before.
            HsmRefusedError: no such key, algorithm or digest, or the token refuses.
            HsmUnavailableError: no session in time; nothing was signed.
            HsmOverloadedError: too many wait; nothing was signed.
            SignatureInvalidError: what the token gave does not verify.
            OutcomeUnknownError: the token may have signed.
        """
        result = self.sign_all([approval], [deadline], slot=slot)[0]
        if isinstance(result, Exception):
            raise result
        return result

    def sign_all(
        self, approvals: Sequence[Approval], deadlines: Sequence[float], *, slot: str | None = None
    ) -> list[bytes | Exception]:
        """Sign everything that was approved; returns for each what ``sign`` would return or raise.

        Each succeeds or fails alone.
        """
        return self.begin(approvals, deadlines, slot=slot).results()

    def begin(
        self, approvals: Sequence[Approval], deadlines: Sequence[float], *, slot: str | None = None
    ) -> Order:
        """Begin what ``sign_all`` does; the order's ``results`` are what it returns.

        The approvals are used up, whatever comes of them.
        """
        now = time.monotonic()
        wanted = [
            self._wanted(approval, deadline, now)
            for approval, deadline in zip(approvals, deadlines, strict=True)
        ]
        tries = TRIES if slot is None else 1
        order = Order(
            wanted,
            partial(
                jobs,
                now=now,
                make=partial(self._desk.job, tries=tries),
                sessions=len(self._workers),
            ),
            self._desk,
            self._desk.submit if slot is None else partial(self._send, slot),
            len(self._workers),
            self._limits.stuck_seconds,
            partial(report, queued=now, observer=self._observer if slot is None else _SILENT),
        )
        order.begin()
        return order

    def _wanted(self, approval: Approval, deadline: float, now: float) -> Wanted | Exception:
        try:
            self._redeem(approval)
            wanted = Wanted(self._way(approval), approval, deadline)
        except Exception as error:  # noqa: BLE001 - each fails alone
            return error
        return wanted if now < deadline else HsmUnavailableError("no time is left")

    def distrust(self, slot: str) -> None:
        """Take a slot down, of which something outside the pool shows that it does not sign."""
        self._slot(slot).distrust()

    def public_key(self, key: str, version: int) -> PublicKey:
        """Return a key version's public half.

        Raises:
            HsmRefusedError: it was not on the token at the start.
        """
        name = KeyVersion(key, version)
        if name not in self._entries:
            raise HsmRefusedError(f"{name} is not on the token")
        return self._entries[name].public_key

    def company(self, key: str) -> Priority | None:
        """Return the class of a key that is so quick that waiting for its like costs little.

        None for others: nobody waits for them.
        """
        found = self._ways_of.get(key, ())
        return next((way.priority for way in found if way.pace.is_quick), None)

    def serves(self, key: str, version: int, algorithm: Algorithm) -> bool:
        """Tell whether a key version is on the token and can sign by an algorithm."""
        return (key, version, algorithm) in self._ways

    def key_versions(self) -> tuple[KeyVersion, ...]:
        """Return the key versions that can sign, in order."""
        return tuple(sorted(self._entries))

    def waiting(self) -> dict[str, int]:
        """Return how many signatures of each class wait for a session."""
        return self._desk.waiting()

    def status(self) -> list[SlotStatus]:
        """Describe every slot, for metrics and health."""
        return [self._status(slot, time.monotonic()) for slot in self._slots]

    @property
    def is_ready(self) -> bool:
        """Whether any session can take work now."""
        up = (slot for slot in self._slots if slot.state is SlotState.UP)
        return self._desk.is_open and any(self._has_ready(slot) for slot in up)

    @property
    def must_restart(self) -> bool:
        """Whether only a new process can help: calls hang, or the module is lost.

        It is so when more than half of the sessions are stuck, and when no slot is up and one
        has been down for ``restart_seconds`` by codes that mean a lost module.
        """
        now = time.monotonic()
        stuck = sum(worker.state_at(now) is SessionState.STUCK for worker in self._workers)
        if 2 * stuck > len(self._workers):
            return True
        up = any(slot.state is SlotState.UP for slot in self._slots)
        return not up and any(
            slot.is_lost(now, self._limits.restart_seconds) for slot in self._slots
        )

    def close(self) -> bool:
        """Take no more work and wait a little for what is at work.

        False when a call is stuck: then a call that closes its token may be, too.
        """
        with self._changing:
            self._stopping.set()
            for worker in self._workers:
                worker.dismiss()
            self._desk.shut("the pool is closed")
        until = time.monotonic() + CLOSE_SECONDS
        if self._sizer is not None:
            self._sizer.join(CLOSE_SECONDS)
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
        return not any(worker.is_alive for worker in self._workers)

    def size(self, slot: Slot) -> int:
        """Return how many sessions a slot is meant to have."""
        return sum(worker.slot is slot for worker in self._workers)

    def crowded(self) -> float:
        """Return the share of requests since the last time that found others waiting."""
        return self._desk.crowded()

    def hire(self, slot: Slot, session: BoundSession) -> None:
        """Have one session more; closes it when the pool is closing."""
        with self._changing:
            if self._stopping.is_set():
                session.close()
                return
            worker = self._worker(slot)
            self._workers = [*self._workers, worker]
            worker.start(session)
        self._resized()

    def dismiss(self, slot: Slot) -> None:
        """Have one session fewer, once it is done with what it has."""
        now = time.monotonic()
        with self._changing:
            own = [worker for worker in self._workers if worker.slot is slot]
            chosen = next((worker for worker in own if worker.is_working(now)), own[0])
            self._workers = [worker for worker in self._workers if worker is not chosen]
            chosen.dismiss()
        self._desk.nudge()
        self._resized()

    def _resized(self) -> None:
        self._desk.deepen(self._limits.queue or WAITING_EACH * len(self._workers))

    def _send(self, name: str, job: Job) -> None:
        slot = self._slot(name)
        if slot.state is not SlotState.UP:
            raise HsmUnavailableError(f"slot {name!r} is {slot.state}: {slot.last_error}")
        self._desk.send(job, name)

    def _slot(self, name: str) -> Slot:
        return next(slot for slot in self._slots if slot.name == name)

    def _way(self, approval: Approval) -> Way:
        way = self._ways.get((approval.key, approval.version, approval.algorithm))
        if way is None:
            message = f"{approval.key_version} does not sign {approval.algorithm} on this token"
            raise HsmRefusedError(message)
        return way

    def _worker(self, slot: Slot) -> Worker:
        return Worker(
            slot,
            self._desk,
            self._stopping,
            stuck_seconds=self._limits.stuck_seconds,
            keepalive_seconds=self._limits.keepalive_seconds,
            elsewhere=self._is_up_elsewhere,
        )

    def _agreed(self) -> dict[KeyVersion, Entry]:
        """Read the keys from the first token that answers; every session must show them."""
        error: HsmError | None = None
        for slot in self._slots:
            try:
                entries = served(slot.token, slot.read())
            except (PKCS11Error, TokenError) as raised:
                error = error or _unavailable(slot, raised)
                continue
            for every in self._slots:
                every.expect(entries)
            return entries
        raise error or HsmUnavailableError("no token is configured")

    def _start(self) -> None:
        """Open all sessions; where a token is not available its threads go on trying."""
        opened: dict[Worker, BoundSession] = {}
        errors = [error for slot in self._slots if (error := self._open_all(slot, opened))]
        if len(errors) == len(self._slots):
            for session in opened.values():
                session.close()
            raise errors[0]
        for worker in self._workers:
            worker.start(opened.get(worker))

    def _open_all(self, slot: Slot, opened: dict[Worker, BoundSession]) -> Exception | None:
        """Open a slot's sessions; the error says why not all of them opened."""
        try:
            for worker in self._workers:
                if worker.slot is slot:
                    opened[worker] = slot.open()
        except ConfigError as error:
            return error
        except (PKCS11Error, TokenError) as error:
            return _unavailable(slot, error)
        return None

    def _slot_changed(self) -> None:
        # One at a time: whoever comes last sees the last state, and decides.
        with self._changing:
            if self._stopping.is_set():
                return
            if any(slot.state is SlotState.UP for slot in self._slots):
                self._desk.reopen()
                self._desk.nudge()
            else:
                reasons = ", ".join(f"{s.name!r}: {s.last_error}" for s in self._slots)
                self._desk.shut(f"no token is available: {reasons}")

    def _has_ready(self, slot: Slot) -> bool:
        now = time.monotonic()
        return any(worker.is_working(now) for worker in self._workers if worker.slot is slot)

    def _is_up_elsewhere(self, slot: Slot) -> bool:
        others = (other for other in self._slots if other is not slot)
        return any(other.state is SlotState.UP and self._has_ready(other) for other in others)

    def _status(self, slot: Slot, now: float) -> SlotStatus:
        states = [worker.state_at(now) for worker in self._workers if worker.slot is slot]
        counts = {state: states.count(state) for state in SessionState}
        return SlotStatus(slot.name, slot.state, counts, slot.generation, slot.last_error)


def _unavailable(slot: Slot, error: PKCS11Error | TokenError) -> HsmUnavailableError:
    code = error.code if isinstance(error, TokenError) else code_of(error)
    return HsmUnavailableError(f"token {slot.name!r}: {describe(code)}")
