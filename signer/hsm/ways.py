"""From what a token holds to what the pool can sign."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from pkcs11.constants import MechanismFlag

from policy.algorithms import Algorithm
from signer.errors import ConfigError
from signer.hsm.catalogue import Entry
from signer.hsm.job import Pace, Way
from signer.hsm.line import Priority
from signer.hsm.mechanisms import SCHEMES
from signer.hsm.names import KeyVersion
from signer.hsm.token import Token
from signer.hsm.verify import verifier


def ways(
    entries: Mapping[KeyVersion, Entry], bulk_keys: frozenset[str]
) -> dict[tuple[str, int, Algorithm], Way]:
    """Prepare how to sign, by key, version and algorithm.

    Keys of one kind share their pace, so that one that is used seldom counts as what it is.
    """
    paces: dict[tuple[Algorithm, int], Pace] = defaultdict(Pace)
    return {
        (*name, algorithm): Way(
            name,
            SCHEMES[algorithm],
            verifier(entry.public_key, algorithm),
            Priority.BULK if name.key in bulk_keys else Priority.URGENT,
            place,
            paces[algorithm, len(entry.public_key.encoded)],
        )
        for place, (name, entry) in enumerate(entries.items())
        for algorithm in entry.public_key.algorithms
    }


def served(token: Token, entries: Mapping[KeyVersion, Entry]) -> dict[KeyVersion, Entry]:
    """Leave out the algorithms that the token has no mechanism for.

    Raises:
        ConfigError: a key has none left.
    """
    can = cache(lambda algorithm: token.can(SCHEMES[algorithm].mechanism, MechanismFlag.SIGN))
    return {name: _narrowed(token, entry, can) for name, entry in entries.items()}


def _narrowed(token: Token, entry: Entry, can: Callable[[Algorithm], bool]) -> Entry:
    public_key = entry.public_key
    algorithms = frozenset(filter(can, public_key.algorithms))
    if not algorithms:
        wanted = ", ".join(sorted(public_key.algorithms))
        raise ConfigError(f"{public_key.name}: token {token.label!r} has no mechanism for {wanted}")
    return replace(entry, public_key=replace(public_key, algorithms=algorithms))
