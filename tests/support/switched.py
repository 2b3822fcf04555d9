"""A real token with switches: what it answers, and whether it opens.

No real token can be made to lie or to fail at a wanted moment. Here C_Sign is called
for real, and then the fault has its way with code and signature.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pkcs11
from pkcs11.constants import MechanismFlag

from policy.algorithms import Digest
from signer.hsm import Token
from signer.hsm.catalogue import KNOWN_ANSWER_MESSAGE
from signer.hsm.cryptoki import CkMechanism, Cryptoki
from signer.hsm.handles import handle
from signer.hsm.mechanisms import SCHEMES

Fault = Callable[[bytes], bytes | int]
"""Takes the real signature; returns another one, or a code in its place."""

_PROBES = {scheme.token_input(KNOWN_ANSWER_MESSAGE, Digest.NATIVE) for scheme in SCHEMES.values()}


def fails(code: int, times: int = 10**9) -> Fault:
    """Answer with a code so many times, then with the real signature."""
    left = iter(range(times))
    return lambda signature: signature if next(left, None) is None else code


def wait_for(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait until something holds, or fail."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.002)


@dataclass
class Switch:
    """What happens to signatures, to opening, and what was counted."""

    fault: Fault | None = None
    spare_probes: bool = True
    init_fault: Callable[[], int] | None = None
    open_error: Exception | None = None
    opening: Callable[[], object] | None = None
    renew_error: Exception | None = None
    logged_in: bool = True
    ping_code: int = 0
    opened: int = 0
    closed: int = 0
    renewed: int = 0
    pinged: int = 0
    signed: int = 0


_SIGN_INIT = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong)
_SIGN = ctypes.CFUNCTYPE(
    ctypes.c_ulong,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


class SwitchedCryptoki(Cryptoki):
    """The real functions behind a switch, also for callers that are compiled."""

    def __init__(self, table: int, switch: Switch) -> None:
        super().__init__(table)
        self.switch = switch
        self._functions = (_SIGN_INIT(self._init_at), _SIGN(self._sign_at))  # kept alive
        addresses = [ctypes.cast(each, ctypes.c_void_p).value or 0 for each in self._functions]
        self.addresses = (addresses[0], addresses[1])

    def ping(self, session: int) -> int:
        """Ping for real, unless told to fail."""
        self.switch.pinged += 1
        return self.switch.ping_code or super().ping(session)

    def sign_init(self, session: int, mechanism: CkMechanism, key: int) -> int:
        """Begin for real, unless told to fail."""
        code = self.switch.init_fault() if self.switch.init_fault else 0
        return code or super().sign_init(session, mechanism, key)

    def _init_at(self, session: int, mechanism: int, key: int) -> int:
        return self.sign_init(session, cast("CkMechanism", SimpleNamespace(address=mechanism)), key)

    def _sign_at(self, session: int, data: int, length: int, signature: int, size: int) -> int:
        return self.sign(session, ctypes.string_at(data, length), signature, size)

    def sign(self, session: int, data: bytes, signature: int, size: int) -> int:
        """Sign for real, then let the fault have its way."""
        code = super().sign(session, data, signature, size)
        self.switch.signed += 1
        spared = self.switch.spare_probes and data in _PROBES
        if code or spared or not self.switch.fault:
            return code
        length = ctypes.c_ulong.from_address(size)
        answer = self.switch.fault(ctypes.string_at(signature, length.value))
        if isinstance(answer, int):
            return answer
        ctypes.memmove(signature, answer, len(answer))
        length.value = len(answer)
        return 0


@dataclass
class SwitchedSession:
    """A real session that counts its end."""

    real: pkcs11.Session
    switch: Switch

    @property
    def handle(self) -> int:
        """The real handle."""
        return handle(self.real)

    def get_objects(self, template: dict[pkcs11.Attribute, Any]) -> Iterator[pkcs11.Object]:
        """Find real objects."""
        return self.real.get_objects(template)

    def close(self) -> None:
        """Close for real, and count."""
        self.switch.closed += 1
        self.real.close()


@dataclass
class SwitchedToken:
    """A real token whose sessions and answers are switched."""

    real: Token
    switch: Switch = field(default_factory=Switch)
    label: str = "switched"

    def __post_init__(self) -> None:
        self.module = self.real.module
        self.cryptoki = SwitchedCryptoki(self.real.cryptoki.table, self.switch)

    def as_token(self) -> Token:
        """Return it where a token is wanted."""
        return cast("Token", self)

    def open(self, *, rw: bool = False) -> SwitchedSession:
        """Open for real and count, unless opening fails."""
        if self.switch.open_error:
            raise self.switch.open_error
        if self.switch.opening:
            self.switch.opening()
        self.switch.opened += 1
        return SwitchedSession(self.real.open(rw=rw), self.switch)

    def is_logged_in(self) -> bool:
        """Tell what the switch says."""
        return self.switch.logged_in

    def renew(self) -> None:
        """Count a login, unless it fails; the real one stays as it is."""
        if self.switch.renew_error:
            raise self.switch.renew_error
        self.switch.renewed += 1
        self.switch.logged_in = True

    def room(self) -> int | None:
        """Ask the real token."""
        return self.real.room()

    def can(self, mechanism: pkcs11.Mechanism, flag: MechanismFlag) -> bool:
        """Ask the real token."""
        return self.real.can(mechanism, flag)
