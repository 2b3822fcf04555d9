"""What a policy's new windows hold: recorded history, charged to them.

A window whose scope or span was not counted before would otherwise start empty, so
that a change of policy in the middle of a window let more through than either policy.
"""

from collections.abc import Iterator

from policy.model import Counter
from policy.replay import Event, Replay
from policy.rules import Limit, Per, Policy, WindowLimit
from policy.windows import Window

_NEVER_MS = 1 << 63  # history is only taken over, nothing is decided again


class Recount:
    """Fills the windows of one policy that the policy before it did not count."""

    def __init__(self, old: Policy | None, new: Policy) -> None:
        """Prepare; without an old policy every window is new."""
        self._new = frozenset(_uncounted(old, new))
        self._replay = Replay(new, _NEVER_MS)

    @property
    def span_ms(self) -> int:
        """The longest span of a new window: how far back history matters; 0 for none."""
        return max((counter.span_ms for counter, _ in self._new), default=0)

    def step(self, event: Event) -> None:
        """Take the next event, in the order of the log."""
        self._replay.step(event)

    def windows(self) -> dict[Counter, Window]:
        """Return the new windows that something was charged to."""
        charged = self._replay.windows
        return {name: window for name, window in charged.items() if _scope(name) in self._new}


def _uncounted(old: Policy | None, new: Policy) -> Iterator[tuple[Counter, Per]]:
    for name, key in new.keys.items():
        before = old.keys.get(name) if old else None
        for asset, limit in key.limits.items():
            known = before.limits.get(asset) if before else None
            for window in limit.windows:
                if not _counted(known, limit, window):
                    yield window.counter, window.per


def _counted(known: Limit | None, limit: Limit, window: WindowLimit) -> bool:
    """Whether the old limit counted the same scope, as far back; a group by this key, too."""
    return (
        known is not None
        and known.asset == limit.asset
        and any(
            (one.counter.key, one.per) == (window.counter.key, window.per)
            and one.counter.span_ms >= window.counter.span_ms
            for one in known.windows
        )
    )


def _scope(counter: Counter) -> tuple[Counter, Per]:
    """Return the counter of a window as its policy has it, and what it counts together."""
    head, _, _ = counter.key.rpartition(" ")
    base, _, per = head.rpartition(" ")
    if base and per in {Per.CALLER, Per.DESTINATION}:
        return counter._replace(key=base), Per(per)
    return counter, Per.KEY
