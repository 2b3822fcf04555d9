"""Calls of contracts that a policy pins: what they move, read from the words of a call."""

from collections.abc import Mapping
from dataclasses import dataclass

from policy import abi
from policy.abi import Method
from policy.assets import erc20_ref
from policy.fields import checksummed
from policy.model import ContractCall, Role, Transfer
from policy.reasons import Code, PayloadError

ACTION = "call."  # and the names of the contract and the call
VALUE = "msg.value"  # the coins sent along, where a parameter's name may stand

Place = tuple[int, str, str]
"""Where a call goes: its chain, its contract, its selector in hexadecimal."""


@dataclass(frozen=True, slots=True)
class PinnedCall:
    """A call that a policy reads.

    Indexes are of parameters; where one is None, ``amount`` is the value sent along or
    nothing at all (then ``asset`` is None and so is ``asset_from``), ``destination`` the
    contract. ``fixed`` are the words that parameters must have.
    """

    action: str
    path: str
    chain_id: int
    contract: str
    method: Method
    amount: int | None
    asset: str | None
    asset_from: int | None
    destination: int | None
    role: Role
    fixed: Mapping[int, bytes]

    @property
    def place(self) -> Place:
        """Where such calls go."""
        return self.chain_id, self.contract, self.method.selector.hex()

    @property
    def moves(self) -> bool:
        """Whether it moves anything."""
        return self.asset is not None or self.asset_from is not None

    def read(self, call: ContractCall) -> Transfer | None:
        """Return what a call of this place moves.

        Raises:
            PayloadError: its words are too many or too few, dirty, or not the fixed ones;
                or it sends coins along that it should not.
        """
        data = bytes.fromhex(call.data)[abi.SELECTOR :]
        words = [data[at : at + abi.WORD] for at in range(0, len(data), abi.WORD)]
        if len(words) != len(self.method.parameters):
            detail = f"{self.method.name} has {len(self.method.parameters)} arguments"
            raise PayloadError(
                Code.PAYLOAD_MALFORMED, self.path, f"{detail}, and the call {len(words)}"
            )
        self._check(words)
        if call.value and not (self.moves and self.amount is None):
            detail = f"{self.method.name} is pinned without coins; {call.value} go with it"
            raise PayloadError(Code.CALL_NOT_PINNED, f"{self.path}.amount", detail)
        if not self.moves:
            return None
        amount = call.value if self.amount is None else int.from_bytes(words[self.amount])
        destination = self.contract
        if self.destination is not None:
            destination = _address(words[self.destination])
        return Transfer(self._asset(words), amount, destination, self.role)

    def _asset(self, words: list[bytes]) -> str:
        if self.asset is not None:
            return self.asset
        assert self.asset_from is not None  # noqa: S101 - or it moves nothing
        return erc20_ref(self.chain_id, _address(words[self.asset_from]))

    def _check(self, words: list[bytes]) -> None:
        for index, (word, parameter) in enumerate(zip(words, self.method.parameters, strict=True)):
            if not parameter.is_clean(word):
                detail = f"{parameter.name}: 0x{word.hex()} is no {parameter.kind}"
                raise PayloadError(Code.PAYLOAD_NOT_CANONICAL, self.path, detail)
            if word != self.fixed.get(index, word):
                detail = f"{parameter.name}: 0x{word.hex()} is not the value that is fixed"
                raise PayloadError(Code.CALL_NOT_PINNED, f"{self.path}.fixed", detail)


def _address(word: bytes) -> str:
    return checksummed("0x" + word[-abi.ADDRESS :].hex())
