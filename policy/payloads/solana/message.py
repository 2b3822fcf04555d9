"""``solana.message``: one transfer of SOL or of a token (``docs/solana.message.md``).

The payload is exactly what the signature covers, a message with one signer. The
signature only counts if that signer's key makes it, so the funds are the key's.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and
``wire.encode`` of what was read gives the payload.
"""

from policy.algorithms import Algorithm
from policy.model import Decoded, Facts, Format, Role, Transfer
from policy.payloads.solana import address, programs, wire
from policy.payloads.solana.programs import Call
from policy.payloads.solana.wire import Instruction, Message
from policy.reasons import Code, PayloadError

TAG = "solana.message"


def decode(payload: bytes) -> Decoded:
    """Read a message.

    Raises:
        PayloadError: it is not one, not canonical, or does more than one transfer.
    """
    message = wire.decode(payload)
    _check(message)
    calls = [_call(message, index, item) for index, item in enumerate(message.instructions)]
    budget = [call for call in calls if call.program == programs.COMPUTE_BUDGET]
    others = [call for call in calls if call.program != programs.COMPUTE_BUDGET]
    if len(others) != 1:
        detail = f"{len(others)} instructions beside the compute budget, not one"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "message.instructions", detail)
    move = programs.move(others[0], message.accounts[0])
    fee = Transfer(
        programs.SOL, programs.fee(budget), None, Role.FEE, decimals=programs.SOL_DECIMALS
    )
    nonce = address.text(message.blockhash)
    facts = Facts(move.action, (move.transfer, fee), source=move.source, nonce=nonce)
    return Decoded(facts, payload)


def _check(message: Message) -> None:
    """Check signers and accounts: one signer, who pays; each account once and used."""
    signers, read_only_signers, read_only = message.header
    if (signers, read_only_signers) != (1, 0):
        raise PayloadError(
            Code.PAYLOAD_UNSUPPORTED, "message.header", "there is not one signer, who pays"
        )
    if read_only >= len(message.accounts):
        raise _malformed("message.header", "counts more read-only accounts than there are")
    if len(set(message.accounts)) != len(message.accounts):
        raise _malformed("message.accounts", "an account stands there twice")
    used = {0, *(item.program for item in message.instructions)}
    used.update(*(item.accounts for item in message.instructions))
    if used != set(range(len(message.accounts))):
        raise _malformed("message.accounts", "are not those that the instructions use")


def _call(message: Message, index: int, item: Instruction) -> Call:
    accounts = [message.accounts[at] for at in item.accounts]
    where = f"message.instructions[{index}]"
    return Call(where, message.accounts[item.program], accounts, item.data)


def _malformed(where: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_MALFORMED, where, detail)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset({programs.TRANSFER, programs.TOKEN_TRANSFER}),
    algorithms=frozenset({Algorithm.ED25519}),
)
