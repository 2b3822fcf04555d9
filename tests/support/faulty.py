"""A PKCS#11 module whose faults tests choose while it runs.

It wraps a real module, SoftHSM if not told otherwise; any process that loads
``module`` with ``variables`` in its environment obeys. Times are milliseconds.
Faults act at once, on calls under way too where a real token would.
"""

import mmap
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypedDict, Unpack

from signer.hsm.errors import Ckr
from tests.faulty import building, layout
from tests.faulty.layout import FUNCTIONS, Control, Rule, Slot
from tests.support.softhsm import MODULE

_NS_PER_MS: Final = 1_000_000


class When(TypedDict, total=False):
    """Which of the calls: all of them, if not said otherwise.

    Attributes:
        every: each n-th one, counted over all slots the rule is about.
        probability: of each of those, 0 to 1.
        times: no more than so many; 0 is without a bound.
        slot: on this slot only; None is all.
    """

    every: int
    probability: float
    times: int
    slot: int | None


@dataclass(frozen=True, slots=True)
class Counters:
    """What the module saw.

    Attributes:
        calls: by function; those without a slot count with slot 0.
        faults: by function; also what a limit, pacing or a swapped key did.
        open_sessions: of all processes; a killed one's stay until they are invalidated.
        most_under_way: the most calls at the same time; on several slots, the largest.
        shared_sessions: calls on a session that another thread was using: a misuse.
        invalid_handles: calls with a session or object handle that is not valid.
    """

    calls: Mapping[str, int]
    faults: Mapping[str, int]
    open_sessions: int
    most_under_way: int
    shared_sessions: int
    invalid_handles: int


class Faulty:
    """The module's switchboard; a context manager.

    Slots are numbered from 0 and all show one inner token, with serial numbers
    ``faulty-0``, ``faulty-1``, …; each has sessions, a login and faults of its own.
    Every method takes a ``slot``; None is all of them.

    Args:
        directory: where the control file is made.
        token: the inner token's label; empty takes the first initialised one.
        slots: how many.
        inner: the module to wrap.
    """

    def __init__(
        self, directory: Path, *, token: str = "", slots: int = 1, inner: Path = MODULE
    ) -> None:
        if not 1 <= slots <= layout.MAX_SLOTS:
            raise ValueError(f"{slots} slots, needs 1 to {layout.MAX_SLOTS}")
        self.module: Final = building.module()
        self.variables: Final[dict[str, str]] = {
            "FAULTY_MODULE": str(inner),
            "FAULTY_CONTROL": str(directory / "faulty-control"),
        }
        self._tickets = count(1)
        self._control = _mapped(Path(self.variables["FAULTY_CONTROL"]))
        self._control.slot_count = slots
        if token:
            self._control.label[:] = list(token.encode().ljust(layout.LABEL_SIZE))
        # Written last: a module that sees them sees the rest.
        self._control.size = layout.CONTROL_SIZE
        self._control.version = layout.VERSION

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.reset()

    def fault(self, function: str, code: int, *, dirty: bool = False, **when: Unpack[When]) -> None:
        """Let calls of a function (``"*"``: of any) answer a return code.

        Args:
            function: its name, such as ``C_Sign``. A call for a signature's size only
                is not counted as a ``C_Sign``.
            code: any, also a vendor's.
            dirty: leave behind what a crash in between would: ``C_SignInit`` has begun,
                ``C_Sign`` has not ended its operation, ``C_OpenSession`` leaks a session.
                Otherwise a beginning has not happened, and an end has.
            when: on which calls.
        """
        self._arm(function, when, code=code, dirty=dirty)

    def hang(
        self, function: str, *, ms: float | None = None, then: int = Ckr.OK, **when: Unpack[When]
    ) -> None:
        """Block calls of a function for a time, or until ``release``.

        Args:
            function: its name, or ``"*"``.
            ms: how long; None is until released.
            then: what they answer afterwards, OK: what they would have answered.
            when: on which calls.
        """
        time = layout.UNTIL_RELEASED if ms is None else _ns(ms)
        self._arm(function, when, code=then, hang=time)

    def spoil(self, how: Literal["flip", "truncate"] = "flip", **when: Unpack[When]) -> None:
        """Change one bit of signatures, or leave out their last byte."""
        damage = layout.TRUNCATED if how == "truncate" else layout.FLIPPED_BIT
        self._arm("C_Sign", when, damage=damage)

    def release(self) -> None:
        """End every hang."""
        for rule in self._control.rules:
            if rule.hang:
                rule.ticket = 0

    def clear(self) -> None:
        """End every fault, hang and damage."""
        for rule in self._control.rules:
            rule.ticket = 0

    def latency(
        self,
        *,
        network_ms: float = 0,
        service_ms: float = 0,
        engines: int = 0,
        jitter_ms: float = 0,
        jitter: Literal["exponential", "uniform"] = "exponential",
        everywhere: bool = False,
        slot: int | None = None,
    ) -> None:
        """Make signing take the time of a network appliance.

        Args:
            network_ms: there and back.
            service_ms: how long an engine is busy with a signature.
            engines: how many there are, at most 64, served in the order of arrival and
                shared by all processes; 0 is as many as are asked for.
            jitter_ms: is added to the network: the mean of the exponential one, the bound
                of the uniform one.
            jitter: its distribution.
            everywhere: every call crosses the network, and not ``C_Sign`` alone.
            slot: which.
        """
        if engines > layout.MAX_ENGINES:
            raise ValueError(f"{engines} engines, at most {layout.MAX_ENGINES}")
        for settings in (found.settings for found in self._slots(slot)):
            settings.network = _ns(network_ms)
            settings.service = _ns(service_ms)
            settings.engines = engines
            settings.jitter = _ns(jitter_ms)
            settings.uniform = jitter == "uniform"
            settings.everywhere = everywhere

    def cache(self, *, on: bool = True, slot: int | None = None) -> None:
        """Answer the same key and data (up to 64 bytes) with the same signature again.

        It verifies, and costs no computing. An invalid key or mechanism then shows in
        ``C_Sign`` and not in ``C_SignInit``; ``C_SignUpdate`` does not work.
        """
        for found in self._slots(slot):
            found.settings.cached = on

    def limit(
        self, *, sessions: int = 0, opens_per_second: int = 0, slot: int | None = None
    ) -> None:
        """Limit open sessions (SESSION_COUNT) and their opening (FUNCTION_FAILED); 0: no limit."""
        for found in self._slots(slot):
            found.settings.session_limit = sessions
            found.settings.opens_per_second = opens_per_second

    def invalidate_sessions(self, *, slot: int | None = None) -> None:
        """Make every open session invalid; the login goes with them."""
        for state in (found.state for found in self._slots(slot)):
            state.sessions += 1
            state.open_sessions = 0
        self.log_out(slot=slot)

    def log_out(self, *, slot: int | None = None) -> None:
        """Lose the login; object handles stay invalid after the next one."""
        for found in self._slots(slot):
            found.state.logins += 1
        self.invalidate_objects(slot=slot)

    def invalidate_objects(self, *, slot: int | None = None) -> None:
        """Make every object handle given out so far invalid."""
        self._end_objects(slot, stale_is_other=False)

    def swap_keys(self, *, slot: int | None = None) -> None:
        """Let every object handle given out so far be another object of the same kind."""
        self._end_objects(slot, stale_is_other=True)

    def remove(self, code: int = Ckr.DEVICE_REMOVED, *, slot: int | None = None) -> None:
        """Take the token out: sessions answer ``code``, the slot TOKEN_NOT_PRESENT."""
        for found in self._slots(slot):
            found.state.absent = code
        self.invalidate_sessions(slot=slot)

    def restore(self, *, reinitialize: bool = False, slot: int | None = None) -> None:
        """Put the token back, without any session, handle or login.

        Args:
            reinitialize: see the method ``reinitialize``.
            slot: which.
        """
        if reinitialize:
            self.reinitialize()
        for found in self._slots(slot):
            found.state.absent = 0

    def reinitialize(self) -> None:
        """Answer CRYPTOKI_NOT_INITIALIZED until C_Finalize and C_Initialize, on all slots."""
        self._control.initialization += 1

    def reset(self) -> None:
        """Behave as the inner module does, count from zero, and let chance repeat itself."""
        self.clear()
        self.restore()
        self._control.draws = 0
        for found in self._slots(None):
            found.settings = layout.Settings()
            found.counters = layout.SlotCounters()
            found.state.next_open = 0
            found.state.engine_free[:] = [0] * layout.MAX_ENGINES

    def counters(self, *, slot: int | None = None) -> Counters:
        """Return what was counted since ``reset``."""
        slots = list(self._slots(slot))
        counted = [found.counters for found in slots]
        return Counters(
            calls=_by_name(counters.calls for counters in counted),
            faults=_by_name(counters.faults for counters in counted),
            open_sessions=sum(found.state.open_sessions for found in slots),
            most_under_way=max(counters.most_under_way for counters in counted),
            shared_sessions=sum(counters.shared_sessions for counters in counted),
            invalid_handles=sum(counters.invalid_handles for counters in counted),
        )

    def _slots(self, slot: int | None) -> Iterator[Slot]:
        for number in range(self._control.slot_count) if slot is None else (slot,):
            yield self._control.slots[number]

    def _end_objects(self, slot: int | None, *, stale_is_other: bool) -> None:
        for state in (found.state for found in self._slots(slot)):
            state.stale_is_other = stale_is_other
            state.objects += 1

    def _arm(
        self,
        function: str,
        when: When,
        *,
        code: int = 0,
        dirty: bool = False,
        hang: int = 0,
        damage: int = 0,
    ) -> None:
        slot = when.get("slot")
        rule = self._free_rule()
        rule.function = _number(function)
        rule.slots = (1 << layout.MAX_SLOTS) - 1 if slot is None else 1 << slot
        rule.every = max(1, when.get("every", 1))
        rule.probability = round(when.get("probability", 1) * layout.CERTAIN)
        rule.times = when.get("times", 0)
        rule.hang, rule.code, rule.dirty, rule.damage = hang, code, dirty, damage
        rule.seen = rule.hits = 0
        rule.ticket = next(self._tickets)  # last: from now on the module looks at it

    def _free_rule(self) -> Rule:
        for rule in self._control.rules:
            if not rule.ticket:
                return rule
        raise ValueError(f"more than {layout.MAX_RULES} faults at a time")


def _mapped(path: Path) -> Control:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.ftruncate(file, layout.CONTROL_SIZE)
        return Control.from_buffer(mmap.mmap(file, layout.CONTROL_SIZE))
    finally:
        os.close(file)


def _number(function: str) -> int:
    if function == "*":
        return layout.ANY_FUNCTION
    if function not in FUNCTIONS:
        raise ValueError(f"{function} is no function of PKCS#11 v2.40")
    return FUNCTIONS.index(function)


def _ns(ms: float) -> int:
    return round(ms * _NS_PER_MS)


def _by_name(slots: Iterator[layout.Numbers]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for numbers in slots:
        total.update(dict(zip(FUNCTIONS, numbers, strict=True)))
    return total
