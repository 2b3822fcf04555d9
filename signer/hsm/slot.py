"""One token that holds the keys: its login, its generation, and whether it is used."""

import random
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import structlog
from pkcs11.exceptions import PKCS11Error

from signer.errors import SigngateError
from signer.hsm.binder import Binder
from signer.hsm.catalogue import Entry
from signer.hsm.errors import Action, TokenError, code_of
from signer.hsm.health import SLOTS, Backoff, Record, SessionEvent, SlotEvent, SlotState
from signer.hsm.names import KeyVersion
from signer.hsm.seat import Seat
from signer.hsm.session import BoundSession
from signer.hsm.sizing import Call
from signer.hsm.token import PinRefusedError, Token

_log = structlog.get_logger(__name__)
_random = random.SystemRandom()

# Requests wait so long for a slot's next session; for longer, they are refused at once.
WORTH_WAITING_SECONDS: Final = 0.1
MAX_CALLS: Final = 16384  # that wait to be counted

# Between two initialisations of a module whose token does not come back by itself, seconds.
SHORTEST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 5.0
LONGEST_SHARED_PAUSE: Final = 60.0  # while another token of the module is up

NoteSession = Callable[[SessionEvent], None]
_DOWN_AT_ONCE: Final = (Action.DOWN, Action.REINITIALIZE, Action.FATAL)
_OPEN_ERRORS: Final = (PKCS11Error, TokenError, SigngateError)


def distinct(tokens: Sequence[Token]) -> list[tuple[str, Token]]:
    """Name each token by its label, and where several have the same, by its place as well."""
    labels = [token.label for token in tokens]
    return [
        (label if labels.count(label) == 1 else f"{label}#{place}", token)
        for place, (label, token) in enumerate(zip(labels, tokens, strict=True), 1)
    ]


class Slot:
    """Opens sessions, one at a time and with pauses, and decides what a failure means.

    A session is of one generation. The next one begins when the login is lost or the
    slot went down; sessions of an older one are replaced before their next use.

    Args:
        token: logged in.
        name: which no other slot of the pool has.
        changed: called after the slot went up or down.
        ready: tells whether any of its sessions is ready or at work.
        count: told of each failure, see ``Observer.failed``.
    """

    def __init__(
        self,
        token: Token,
        name: str,
        changed: Callable[[], None],
        ready: Callable[["Slot"], bool],
        count: Callable[[str, str, str], None],
    ) -> None:
        self.token = token
        self.name = name
        self.record = Record()
        self.state = SlotState.UP
        self.generation = 1
        self.gate = array("q", [1])  # the generation whose sessions may be used, 0 for none
        self.last_error = ""
        self.down_since: float | None = None
        self._last_action: Action | None = None
        self._changed = changed
        self._ready = ready
        self._count = count
        self._binder = Binder(token)
        self.neighbours: Sequence[Slot] = ()  # on the same module
        self._revive_at = 0.0
        self._calls: deque[Call] | None = None
        self._logged_in = 1  # the generation whose login was done
        self._backoff = Backoff()
        self._connecting = threading.Lock()
        self._lock = threading.Lock()

    def read(self) -> dict[KeyVersion, Entry]:
        """Read what is on the token.

        Raises:
            ConfigError: a key on it is damaged.
            PKCS11Error, TokenError: as the token says.
        """
        return self._binder.read(self.generation)

    def expect(self, entries: Mapping[KeyVersion, Entry]) -> None:
        """Set the keys that every session must show."""
        self._binder.expect(entries)

    def open(self) -> BoundSession:
        """Open a session, after a new login if the generation has none yet.

        Raises:
            ConfigError: the token holds other keys, or refuses the PIN.
            PKCS11Error, TokenError: as the token says.
        """
        module = self.token.module
        module.enter()
        try:
            return self._open(module.leave)
        except BaseException:
            module.leave()
            raise

    def open_another(self) -> BoundSession | None:
        """Open a session beside those that are there; None when others are being opened.

        Raises:
            ConfigError, PKCS11Error, TokenError: as ``open`` does.
        """
        pausing = self._backoff.pause(time.monotonic()) > 0
        if pausing or not self._connecting.acquire(blocking=False):
            return None
        try:
            return self.open()
        except BaseException:
            self._backoff.failed(time.monotonic(), _random.random())
            raise
        finally:
            self._connecting.release()

    def measure(self) -> None:
        """Keep how long calls take, for ``calls``."""
        self._calls = deque(maxlen=MAX_CALLS)

    def signed(self, kind: KeyVersion, seconds: Sequence[float]) -> None:
        """Note how long the token took for signatures that verified."""
        self.record.succeeded(len(seconds))
        if self._calls is not None:
            self._calls.extend(Call(kind, each) for each in seconds)

    def calls(self) -> list[Call]:
        """Return the calls since the last time."""
        calls = self._calls or ()
        return [calls.popleft() for _ in range(len(calls))] if calls else []

    def is_beside(self, other: "Slot") -> bool:
        """Tell whether it is another slot of the same module."""
        return self is not other and self.token.module is other.token.module

    def let_go(self) -> None:
        """Begin the next generation, so that no session stays in the module."""
        self._renew(self.generation)
        self._changed()

    def connect(self, note: NoteSession, stopping: threading.Event) -> BoundSession | None:
        """Open a session however long it takes; None when the pool is closing.

        One thread at a time: a token that returns is not flooded, and the first
        session is the probe that brings the slot up.
        """
        with self._connecting:
            while not stopping.wait(self._backoff.pause(time.monotonic())):
                if self.state is SlotState.REFUSED:
                    stopping.wait()
                    return None
                session = self._attempt(note)
                if session is not None:
                    return session
        return None

    def failed(self, session: BoundSession, error: TokenError) -> None:
        """Draw the consequence of an operation's failure; the session is retired anyway."""
        action = error.action
        self._remember(error)
        if error.casts_doubt:
            self._binder.doubt(session.found)
        if action is Action.BACK_OFF:
            self._backoff.failed(time.monotonic(), _random.random())
        if action is Action.REBIND and not self.token.is_logged_in():
            self._renew(session.generation)
        # A code that is the request's fault says nothing about the slot.
        tripped = action is not Action.REFUSE and self.record.failed()
        if tripped or action in _DOWN_AT_ONCE or self._is_empty():
            self._move(SlotEvent.FAILED, session.generation)

    def is_lost(self, now: float, seconds: float) -> bool:
        """Tell whether it has been down for some time because of what a restart may help."""
        down = self.down_since is not None and now - self.down_since > seconds
        return down and self._last_action in (Action.REINITIALIZE, Action.UNKNOWN)

    def condemn(self, seat: Seat) -> None:
        """Never use a session again: it gave a signature that does not verify."""
        seat.halt()
        self._binder.doubt(seat.session.found)
        self.last_error = "a signature did not verify"
        self._changed()  # its thread shall see that
        self._count(self.name, "invalid_signature", "")
        if self.record.failed():
            self._move(SlotEvent.FAILED, seat.session.generation)

    def _open(self, closed: Callable[[], None]) -> BoundSession:
        generation = self.generation
        if self._logged_in != generation:
            self.token.renew()
            self._logged_in = generation
        return self._binder.open(generation, closed)

    def distrust(self) -> None:
        """Take it down: it is given work again once a session has proved every key."""
        self._move(SlotEvent.FAILED)

    def _attempt(self, note: NoteSession) -> BoundSession | None:
        note(SessionEvent.TRIED)
        self._move(SlotEvent.TRIED)
        try:
            session = self.open()
        except PinRefusedError as error:
            note(SessionEvent.RETIRED)
            self._not_opened(error, SlotEvent.PIN_REFUSED)
        except _OPEN_ERRORS as error:
            note(SessionEvent.RETIRED)
            self._not_opened(error, SlotEvent.NOT_OPENED)
        else:
            self._backoff.succeeded()
            note(SessionEvent.OPENED)
            self._move(SlotEvent.OPENED)
            return session
        return None

    def _not_opened(self, error: Exception, event: SlotEvent) -> None:
        if isinstance(error, PKCS11Error):
            error = TokenError(code_of(error), began=False)
        self._remember(error)
        _log.warning("no session", token=self.name, error=self.last_error)
        self._backoff.failed(time.monotonic(), _random.random())
        self._move(event)
        if not self._ready(self):
            self._move(SlotEvent.FAILED)
            self._revive(time.monotonic())
        elif not self._is_logged_in():
            # Those that look ready were lost with the login, and have not been used since.
            self._renew(self.generation)

    def _is_logged_in(self) -> bool:
        with self.token.module.guest():
            return self.token.is_logged_in()

    def _revive(self, now: float) -> None:
        """Have the module initialised again if nothing else helped for some time.

        It disturbs the tokens that share the module, so the pauses grow with the time
        that this one is away, and more slowly where no other one is up.
        """
        if self.down_since is None or now < self._revive_at:
            return
        away = now - self.down_since
        needed = any(slot.state is SlotState.UP for slot in self.neighbours)
        longest = LONGEST_SHARED_PAUSE if needed else LONGEST_PAUSE
        self._revive_at = now + min(max(SHORTEST_PAUSE, away / 2), longest)
        if away < SHORTEST_PAUSE:
            return
        module = self.token.module
        era = module.era
        with module.guest(), suppress(*_OPEN_ERRORS):
            module.revive(era, self._all_let_go)

    def _all_let_go(self) -> None:
        for slot in (self, *self.neighbours):
            slot.let_go()

    def _is_empty(self) -> bool:
        """Tell whether no session is left and none will be opened at once."""
        pause = self._backoff.pause(time.monotonic())
        return pause > WORTH_WAITING_SECONDS and not self._ready(self)

    def _remember(self, error: Exception) -> None:
        self.last_error = str(error)
        self._last_action = None
        if isinstance(error, TokenError):
            self._last_action = error.action
            self._count(self.name, error.action.name.lower(), error.name)
        else:
            self._count(self.name, "configuration", "")

    def _renew(self, seen: int) -> None:
        """Begin the next generation, once for all who saw the old one fail."""
        with self._lock:
            if self.generation == seen:
                self.generation += 1
                self._set_gate()

    def _move(self, event: SlotEvent, seen: int | None = None) -> None:
        """Change the state; old news about a former generation changes nothing."""
        with self._lock:
            if seen not in (None, self.generation):
                return
            before = self.state
            self.state = after = SLOTS[before, event]
            if before is not after:
                self._entered(after)
                self._set_gate()
        if before is not after:
            _log.info("slot", token=self.name, state=after, error=self.last_error)
            self._changed()

    def _entered(self, state: SlotState) -> None:
        if state is SlotState.DOWN:
            self.generation += 1
            self.down_since = self.down_since or time.monotonic()
        elif state is SlotState.UP:
            self.down_since = None
            self.last_error = ""
            self.record.clear()

    def _set_gate(self) -> None:
        self.gate[0] = self.generation if self.state is SlotState.UP else 0
