"""Which hand-over between callers and sessions is used: the compiled one where it is built.

Both do the same. The compiled one costs less, and the plain one is there for machines
without a compiler, and to fall back on: ``SIGNGATE_HAND_OVER=plain``.
"""

import os
from collections.abc import Callable
from typing import Final

from signer.errors import ConfigError
from signer.hsm.desk import Desk
from signer.hsm.plain import PlainDesk

compiled: Callable[[int], Desk] | None
try:
    from signer.hsm.compiled import new_desk as compiled
except ImportError:  # it was installed without a compiler
    compiled = None

VARIABLE: Final = "SIGNGATE_HAND_OVER"
COMPILED: Final = "compiled"
PLAIN: Final = "plain"


def chosen() -> str:
    """Return which one is used.

    Raises:
        ConfigError: the variable asks for one that is not there.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", COMPILED, PLAIN):
        raise ConfigError(f"{VARIABLE}={wanted}: needs {COMPILED} or {PLAIN}")
    if wanted == COMPILED and compiled is None:
        problem = "it is not built; install again where there is a C compiler"
        raise ConfigError(f"{VARIABLE}={wanted}: {problem}")
    return wanted or (PLAIN if compiled is None else COMPILED)


def new_desk(depth: int) -> Desk:
    """Make a desk in whose line so many jobs of each class may wait.

    Raises:
        ConfigError: as ``chosen`` does.
    """
    make = compiled if chosen() == COMPILED else None
    return make(depth) if make else PlainDesk(depth)
