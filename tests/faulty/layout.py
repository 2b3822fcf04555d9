"""The control file as Python sees it: control.h, field by field.

The module refuses a file of another version or size.
"""

import ctypes
import re
from pathlib import Path
from typing import Annotated, Final, TypeVar, get_type_hints

SOURCES: Final = Path(__file__).parent

VERSION: Final = 1
MAX_SLOTS: Final = 8
MAX_RULES: Final = 64
MAX_ENGINES: Final = 64
LABEL_SIZE: Final = 32
ANY_FUNCTION: Final = 2**64 - 1
UNTIL_RELEASED: Final = 2**64 - 1
CERTAIN: Final = 2**32  # as a probability
FLIPPED_BIT: Final = 1
TRUNCATED: Final = 2

FUNCTIONS: Final[tuple[str, ...]] = tuple(
    re.findall(
        r"^(?:SPECIAL|SLOT|SESSION)\((C_\w+)",
        (SOURCES / "functions.h").read_text("ascii"),
        re.MULTILINE,
    )
)
"""The functions' names; their places are their numbers in the control file."""

Numbers = ctypes.Array[ctypes.c_uint64]
_S = TypeVar("_S", bound=ctypes.Structure)


def _laid_out(structure: type[_S]) -> type[_S]:
    """Make fields of the annotations: an int is a 64-bit number, others name their C type."""
    hints = get_type_hints(structure, include_extras=True)
    structure._fields_ = [
        (name, ctypes.c_uint64 if hint is int else hint.__metadata__[0])
        for name, hint in hints.items()
        if not name.startswith("_")
    ]
    return structure


@_laid_out
class Rule(ctypes.Structure):
    """On which calls something happens, and what."""

    ticket: int
    function: int
    slots: int
    every: int
    probability: int
    times: int
    hang: int
    code: int
    dirty: int
    damage: int
    seen: int
    hits: int


@_laid_out
class Settings(ctypes.Structure):
    """How a slot behaves apart from the rules."""

    session_limit: int
    opens_per_second: int
    network: int
    jitter: int
    uniform: int
    everywhere: int
    service: int
    engines: int
    cached: int


@_laid_out
class State(ctypes.Structure):
    """Something that existed before its generation changed is gone."""

    absent: int
    sessions: int
    objects: int
    logins: int
    stale_is_other: int
    open_sessions: int
    next_open: int
    engine_free: Annotated[Numbers, ctypes.c_uint64 * MAX_ENGINES]


@_laid_out
class SlotCounters(ctypes.Structure):
    """What the module counted."""

    calls: Annotated[Numbers, ctypes.c_uint64 * len(FUNCTIONS)]
    faults: Annotated[Numbers, ctypes.c_uint64 * len(FUNCTIONS)]
    most_under_way: int
    shared_sessions: int
    invalid_handles: int


@_laid_out
class Slot(ctypes.Structure):
    """One slot."""

    settings: Annotated[Settings, Settings]
    state: Annotated[State, State]
    counters: Annotated[SlotCounters, SlotCounters]
    under_way: int


@_laid_out
class Control(ctypes.Structure):
    """The file."""

    version: int
    size: int
    slot_count: int
    initialization: int
    draws: int
    label: Annotated[ctypes.Array[ctypes.c_ubyte], ctypes.c_ubyte * LABEL_SIZE]
    rules: Annotated[ctypes.Array[Rule], Rule * MAX_RULES]
    slots: Annotated[ctypes.Array[Slot], Slot * MAX_SLOTS]


CONTROL_SIZE: Final = ctypes.sizeof(Control)
