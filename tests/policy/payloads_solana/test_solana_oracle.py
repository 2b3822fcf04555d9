"""Generated transfers on Solana, built, read and verified by another implementation."""

from hypothesis import given
from hypothesis import strategies as st
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, decode_transfer, transfer
from solders.transaction import VersionedTransaction

from policy.model import Role
from policy.payloads import decode
from policy.payloads.solana import TAG
from tests.policy.payloads.examples import oracle
from tests.policy.payloads_solana.test_solana import ASSOCIATED, TOKEN, TOKEN_2022

UINT64 = st.integers(0, 2**64 - 1)
_keys = st.binary(min_size=32, max_size=32).map(Keypair.from_seed)
_places = (
    st.binary(min_size=32, max_size=32).map(Pubkey).filter(lambda key: key != Pubkey.default())
)
_blockhashes = st.binary(min_size=32, max_size=32).map(Hash)
_no_budget: list[Instruction] = []
_budgets = st.one_of(
    st.just(_no_budget),
    st.builds(
        lambda units, price: [set_compute_unit_limit(units), set_compute_unit_price(price)],
        st.integers(0, 2**32 - 1),
        UINT64,
    ),
)


def _message(
    key: Keypair, instructions: list[Instruction], blockhash: Hash, *, versioned: bool
) -> Message | MessageV0:
    signer = key.pubkey()
    if versioned:
        return MessageV0.try_compile(signer, instructions, [], blockhash)
    return Message.new_with_blockhash(instructions, signer, blockhash)


def _accepted(key: Keypair, message: Message | MessageV0) -> bytes:
    """Return the payload, after a signature over it was accepted by the oracle."""
    payload = to_bytes_versioned(message)
    signature = key.sign_message(decode(TAG, payload).message)
    assert VersionedTransaction.populate(message, [signature]).verify_with_results() == [True]
    return payload


@oracle
@given(_keys, _places, UINT64, _budgets, _blockhashes, st.booleans())
def test_the_oracle_reads_the_same_transfer(
    key: Keypair,
    to: Pubkey,
    lamports: int,
    budget: list[Instruction],
    blockhash: Hash,
    versioned: bool,  # noqa: FBT001 - drawn
) -> None:
    """Amount, destination and blockhash are those that the oracle reads in the same bytes."""
    paying = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=to, lamports=lamports))
    message = _message(key, [*budget, paying], blockhash, versioned=versioned)
    facts = decode(TAG, _accepted(key, message)).facts
    read = decode_transfer(paying)
    moved, fee = facts.transfers
    assert (moved.amount, moved.destination) == (read["lamports"], str(read["to_pubkey"]))
    assert (facts.nonce, facts.source, fee.role) == (str(message.recent_blockhash), None, Role.FEE)


@oracle
@given(_keys, _places, _places, UINT64, st.integers(0, 36), st.sampled_from([TOKEN, TOKEN_2022]))
def test_the_oracle_derives_the_same_account(
    key: Keypair, mint: Pubkey, to: Pubkey, amount: int, decimals: int, program: Pubkey
) -> None:
    """The signer's own token account is the one that the oracle derives, for any mint."""
    owner = key.pubkey()
    seeds = [bytes(owner), bytes(program), bytes(mint)]
    own = Pubkey.find_program_address(seeds, ASSOCIATED)[0]
    accounts = [
        AccountMeta(own, is_signer=False, is_writable=True),
        AccountMeta(mint, is_signer=False, is_writable=False),
        AccountMeta(to, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    data = bytes((12,)) + amount.to_bytes(8, "little") + bytes((decimals,))
    message = _message(key, [Instruction(program, data, accounts)], Hash.default(), versioned=False)
    facts = decode(TAG, _accepted(key, message)).facts
    moved = facts.transfers[0]
    assert (moved.amount, moved.decimals, moved.destination) == (amount, decimals, str(to))
    assert moved.asset.endswith(f"/token:{mint}")
    assert facts.source is None
