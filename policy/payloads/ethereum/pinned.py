"""What pins a kind of typed data: its struct types, its domain, and what it means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from policy.assets import erc20_ref, native_ref
from policy.model import Facts
from policy.payloads import printable
from policy.payloads.ethereum.eip712 import Struct, not_canonical
from policy.reasons import Code, PayloadError

Values = Mapping[str, Any]  # of a struct, as its codecs read them
NATIVE = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE"  # what order protocols call the coin
NONE = "0x0000000000000000000000000000000000000000"
_MAX_NAME = 64


class Domain(NamedTuple):
    """Whose message it is."""

    chain_id: int
    contract: str


Meaning = Callable[[Domain, Values], Facts]


@dataclass(frozen=True, slots=True)
class Schema:
    """A kind of typed data.

    ``pinned`` is what the domain must be called and where its contract is, if the
    protocol has one for all chains; ``types`` is what a document says with each domain.
    """

    primary: Struct
    domains: tuple[Struct, ...]
    facts: Meaning
    actions: frozenset[str]
    pinned: Mapping[str, str] = field(default_factory=dict)
    types: tuple[tuple[Struct, Mapping[str, Any]], ...] = field(init=False)

    def __post_init__(self) -> None:
        mine = self.primary.types()
        pairs = tuple((struct, struct.types() | mine) for struct in self.domains)
        object.__setattr__(self, "types", pairs)

    def domain(self, types: object, value: object) -> tuple[Domain, bytes]:
        """Return the domain and its separator.

        Raises:
            PayloadError: the types are others, or it is another domain.
        """
        struct = self._domain_type(types)
        members, separator = struct.read(value, "$.domain")
        for name, expected in self.pinned.items():
            if members[name] != expected:
                detail = f"is not {expected}, which {self.primary.name} belongs to"
                raise PayloadError(Code.PAYLOAD_UNSUPPORTED, f"$.domain.{name}", detail)
        for name in ("name", "version"):
            if name in members:
                _check_name(members[name])
        return Domain(members["chainId"], members["verifyingContract"]), separator

    def _domain_type(self, types: object) -> Struct:
        for struct, expected in self.types:
            if types == expected:
                return struct
        detail = f"are not exactly those of {self.primary.encode_type()} and its domain"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "$.types", detail)


def token(chain_id: int, contract: str) -> str:
    """Return the CAIP-19 identifier of a token, or of the coin by its usual stand-in."""
    if contract == NATIVE:
        return native_ref(chain_id)
    return erc20_ref(chain_id, contract)


def _check_name(text: str) -> None:
    problem = printable.problem(text)
    if problem or len(text) > _MAX_NAME or "\n" in text:
        detail = problem or f"is not one line of at most {_MAX_NAME} characters"
        raise not_canonical("$.domain", f"name or version: {detail}")
