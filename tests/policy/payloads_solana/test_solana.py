"""Solana messages: what another implementation builds is read, the ways round are not."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.compute_budget import (
    request_heap_frame,
    set_compute_unit_limit,
    set_compute_unit_price,
)
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    AdvanceNonceAccountParams,
    AssignParams,
    TransferParams,
    advance_nonce_account,
    assign,
    transfer,
)
from solders.transaction import Transaction

from policy import base58
from policy.model import Facts, Role, Transfer
from policy.payloads import decode
from policy.payloads.solana import TAG, address, wire
from policy.reasons import Code, PayloadError

CHAIN = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
SOL = f"SOL@{CHAIN}"
SIGNER, TO, OTHER = (Keypair.from_seed(bytes((i,)) * 32).pubkey() for i in (1, 2, 3))
MINT = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
BLOCKHASH = Hash(bytes(range(32)))
# The example of the JSON-RPC documentation, "sendTransaction", and the id that it returns.
DOCUMENTED = (
    "4hXTCkRzt9WyecNzV1XPgCDfGAZzQKNxLXgynz5QDuWWPSAZBZSHptvWRL3BjCvzUXRdKvHL2b7yGrRQcWyaqsaBCncVG7"
    "BFggS8w9snUts67BSh3EqKpXLUm5UMHfD7ZBe9GhARjbNQMLJ1QD3Spr6oMTBU6EhdB4RD8CP2xUxr2u3d6fos36PD98XS"
    "6oX8TQjLpsMwncs5DAMiD4nNnR8NBfyghGCWvCVifVwvA8B8TJxE1aiyiv2L429BCWfyzAme5sZW8rDb14NeCQHhZbtNqf"
    "Xhcp2tAnaAT"
)
DOCUMENTED_ID = (
    "2id3YC2jK9G5Wo2phDx4gJVAew8DcY5NAojnVuao8rkxwPYPe8cSwE5GzhEgJA2y8fVjDEo6iR6ykBvDxrTQrtpb"
)


def _own_account(owner: Pubkey, program: Pubkey, mint: Pubkey = MINT) -> Pubkey:
    seeds = [bytes(owner), bytes(program), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED)[0]


def _checked(
    program: Pubkey = TOKEN,
    owner: Pubkey = SIGNER,
    source: Pubkey | None = None,
    data: bytes = bytes((12,)) + (1_500_000).to_bytes(8, "little") + bytes((6,)),
    *more: Pubkey,
) -> Instruction:
    accounts = [
        AccountMeta(source or _own_account(SIGNER, program), is_signer=False, is_writable=True),
        AccountMeta(MINT, is_signer=False, is_writable=False),
        AccountMeta(TO, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=owner == SIGNER, is_writable=False),
        *(AccountMeta(extra, is_signer=False, is_writable=False) for extra in more),
    ]
    return Instruction(program, data, accounts)


def _sol(lamports: int = 1_000_000_000, source: Pubkey = SIGNER) -> Instruction:
    params = TransferParams(from_pubkey=source, to_pubkey=TO, lamports=lamports)
    return transfer(params)


def _legacy(*instructions: Instruction) -> bytes:
    return bytes(Message.new_with_blockhash(instructions, SIGNER, BLOCKHASH))


def _version_0(*instructions: Instruction) -> bytes:
    return bytes(to_bytes_versioned(MessageV0.try_compile(SIGNER, instructions, [], BLOCKHASH)))


PRICE, LIMIT = set_compute_unit_price(1_000_001), set_compute_unit_limit(300)
ACCEPTED = (
    _legacy(_sol()),
    _version_0(_sol()),
    _legacy(LIMIT, PRICE, _sol(0)),
    _version_0(_checked(), PRICE),
    _legacy(_checked(TOKEN_2022)),
)


@pytest.mark.parametrize("build", [_legacy, _version_0])
def test_a_transfer_is_read(build: type[bytes]) -> None:
    """A transfer of SOL, and a signature's fee, in either version."""
    payload = build(_sol())
    decoded = decode(TAG, payload)
    assert decoded.message == payload
    assert decoded.facts == Facts(
        "solana.transfer",
        (
            Transfer(SOL, 1_000_000_000, str(TO), decimals=9),
            Transfer(SOL, 5000, None, Role.FEE, 9),
        ),
        nonce=str(BLOCKHASH),
    )


def test_the_official_example_is_read() -> None:
    """The documented transaction's published signature is its payer's, over our message."""
    transaction = Transaction.from_bytes(base58.decode(DOCUMENTED, 215))
    decoded = decode(TAG, bytes(transaction.message))
    payer = Pubkey.from_string("5ebCWDVzvDGyEbgfiv1ATMucpFJrM8nhrHvAwE4tUE2c")
    [signature] = transaction.signatures
    assert signature == Signature.from_string(DOCUMENTED_ID)
    assert signature.verify(payer, decoded.message)
    destination = "vines1vzrYbzLMRdu58ou5XTby4qAqVRLmqo36NKPTg"
    assert decoded.facts.transfers[0] == Transfer(SOL, 5_000_000_000, destination, decimals=9)


@pytest.mark.parametrize("program", [TOKEN, TOKEN_2022])
def test_a_token_transfer_is_read(program: Pubkey) -> None:
    """A token is named by its mint, its destination is a token account."""
    facts = decode(TAG, _legacy(_checked(program))).facts
    assert facts.action == "solana.token_transfer"
    assert facts.transfers[0] == Transfer(f"{CHAIN}/token:{MINT}", 1_500_000, str(TO), decimals=6)
    assert facts.source is None


@pytest.mark.parametrize(
    "source", [OTHER, _own_account(OTHER, TOKEN), _own_account(SIGNER, TOKEN_2022)]
)
def test_other_funds_have_a_source(source: Pubkey) -> None:
    """What leaves another account than the signer's associated one names it."""
    facts = decode(TAG, _legacy(_checked(source=source))).facts
    assert facts.source == str(source)


@pytest.mark.parametrize(
    ("budget", "lamports"),
    [
        ((), 5000),
        ((LIMIT,), 5000),
        ((PRICE,), 5000 + 1_400_002),  # 1,400,000 units unless fewer are asked for
        ((LIMIT, PRICE), 5000 + 301),  # rounded up
        ((set_compute_unit_limit(2**32 - 1), PRICE), 5000 + 1_400_002),
        ((set_compute_unit_limit(0), PRICE), 5000),
    ],
)
def test_the_price_of_computing_is_a_fee(budget: tuple[Instruction, ...], lamports: int) -> None:
    """The highest fee is price times limit, rounded up."""
    for payload in (_legacy(*budget, _sol()), _legacy(_sol(), *budget)):
        fee = decode(TAG, payload).facts.transfers[1]
        assert (fee.asset, fee.amount, fee.role) == (SOL, lamports, Role.FEE)


def _edited(at: int, new: bytes, size: int | None = None, payload: bytes = ACCEPTED[0]) -> bytes:
    return payload[:at] + new + payload[at + (len(new) if size is None else size) :]


_DATA = bytes((12,)) + bytes(8) + bytes((6,))
HOSTILE = {
    "empty": (b"", Code.PAYLOAD_MALFORMED),
    "trailing byte": (ACCEPTED[0] + b"\0", Code.PAYLOAD_MALFORMED),
    "trailing byte, version 0": (ACCEPTED[1] + b"\0", Code.PAYLOAD_MALFORMED),
    "too long": (_legacy(Instruction(OTHER, bytes(1100), [])), Code.PAYLOAD_TOO_LARGE),
    "other version": (b"\x81" + ACCEPTED[0] + b"\0", Code.PAYLOAD_UNSUPPORTED),
    "off-chain message": (b"\xffsolana offchain\0\0hi", Code.PAYLOAD_UNSUPPORTED),
    "lookup table": (
        ACCEPTED[1][:-1] + b"\1" + bytes(32) + b"\0\1\0",
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "no lookups": (ACCEPTED[1][:-1], Code.PAYLOAD_MALFORMED),
    "long count of accounts": (_edited(3, b"\x83\0", 1), Code.PAYLOAD_NOT_CANONICAL),
    "longer count of accounts": (_edited(3, b"\x83\x80\0", 1), Code.PAYLOAD_NOT_CANONICAL),
    "endless count": (_edited(3, b"\x83\x80\x80\0", 1), Code.PAYLOAD_MALFORMED),
    "two signatures": (_edited(0, b"\2"), Code.PAYLOAD_UNSUPPORTED),
    "no signature": (_edited(0, b"\0"), Code.PAYLOAD_UNSUPPORTED),
    "read-only payer": (_edited(1, b"\1"), Code.PAYLOAD_UNSUPPORTED),
    "read-only too many": (_edited(2, b"\3"), Code.PAYLOAD_MALFORMED),
    "account twice": (_edited(36, bytes(SIGNER)), Code.PAYLOAD_MALFORMED),
    "index beyond the accounts": (_edited(133, b"\3"), Code.PAYLOAD_MALFORMED),
    "account beyond the accounts": (_edited(136, b"\3"), Code.PAYLOAD_MALFORMED),
    "nothing to do": (bytes((1, 0, 0, 1)) + bytes(SIGNER) + bytes(33), Code.PAYLOAD_UNSUPPORTED),
    "no accounts": (bytes((1, 0, 0, 0)) + bytes(33), Code.PAYLOAD_MALFORMED),
    "unused account": (
        bytes((1, 0, 2, 4)) + ACCEPTED[0][4:100] + bytes(OTHER) + ACCEPTED[0][100:],
        Code.PAYLOAD_MALFORMED,
    ),
    "budget only": (_legacy(PRICE), Code.PAYLOAD_UNSUPPORTED),
    "two transfers": (_legacy(_sol(), _sol(1)), Code.PAYLOAD_UNSUPPORTED),
    "transfer and token": (_legacy(_sol(), _checked()), Code.PAYLOAD_UNSUPPORTED),
    "durable nonce": (
        _legacy(
            advance_nonce_account(
                AdvanceNonceAccountParams(nonce_pubkey=OTHER, authorized_pubkey=SIGNER)
            ),
            _sol(),
        ),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "assign": (
        _legacy(assign(AssignParams(pubkey=SIGNER, owner=TOKEN))),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "unknown program": (_legacy(Instruction(OTHER, b"\2", [])), Code.PAYLOAD_UNSUPPORTED),
    "somebody else's SOL": (
        _legacy(
            Instruction(
                Pubkey.default(),
                _sol().data,
                [
                    AccountMeta(OTHER, is_signer=False, is_writable=True),
                    AccountMeta(TO, is_signer=False, is_writable=True),
                ],
            )
        ),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "somebody else's token": (_legacy(_checked(owner=OTHER)), Code.PAYLOAD_UNSUPPORTED),
    "short transfer": (
        _legacy(Instruction(Pubkey.default(), _sol().data[:-1], _sol().accounts)),
        Code.PAYLOAD_MALFORMED,
    ),
    "long transfer": (
        _legacy(Instruction(Pubkey.default(), _sol().data + b"\0", _sol().accounts)),
        Code.PAYLOAD_MALFORMED,
    ),
    "transfer from three": (
        _legacy(
            Instruction(
                Pubkey.default(),
                _sol().data,
                [*_sol().accounts, AccountMeta(OTHER, is_signer=False, is_writable=True)],
            )
        ),
        Code.PAYLOAD_MALFORMED,
    ),
    "transfer hook": (
        _legacy(_checked(TOKEN_2022, SIGNER, None, _DATA, OTHER)),
        Code.PAYLOAD_MALFORMED,
    ),
    "unchecked transfer": (
        _legacy(_checked(data=bytes((3,)) + bytes(8))),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "long token transfer": (_legacy(_checked(data=_DATA + b"\0")), Code.PAYLOAD_MALFORMED),
    "no data": (_legacy(_checked(data=b"")), Code.PAYLOAD_UNSUPPORTED),
    **{
        f"token instruction {kind}": (
            _legacy(_checked(data=bytes((kind,)) + bytes(9))),
            Code.PAYLOAD_UNSUPPORTED,
        )
        # approve, revoke, set authority, mint, burn, close, approve and burn checked, fees, …
        for kind in (4, 5, 6, 7, 8, 9, 13, 14, 15, 17, 25, 26, 27, 36, 255)
    },
    "price twice": (_legacy(PRICE, PRICE, _sol()), Code.PAYLOAD_MALFORMED),
    "heap frame": (_legacy(request_heap_frame(32768), _sol()), Code.PAYLOAD_UNSUPPORTED),
    "empty budget": (
        _legacy(Instruction(PRICE.program_id, b"", []), _sol()),
        Code.PAYLOAD_UNSUPPORTED,
    ),
    "short price": (
        _legacy(Instruction(PRICE.program_id, PRICE.data[:-1], []), _sol()),
        Code.PAYLOAD_MALFORMED,
    ),
    "price with an account": (
        _legacy(
            Instruction(
                PRICE.program_id,
                PRICE.data,
                [AccountMeta(TO, is_signer=False, is_writable=False)],
            ),
            _sol(),
        ),
        Code.PAYLOAD_MALFORMED,
    ),
}


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_ways_round_are_refused(payload: bytes, code: Code) -> None:
    """Each way round has its reason."""
    with pytest.raises(PayloadError) as caught:
        decode(TAG, payload)
    assert caught.value.reason.code is code


@pytest.mark.parametrize("payload", ACCEPTED)
def test_messages_are_canonical(payload: bytes) -> None:
    """Writing what was read gives the payload."""
    assert wire.encode(wire.decode(payload)) == payload


def test_counts_of_two_bytes_are_read() -> None:
    """A count above 127 takes two bytes."""
    data = bytes(200)
    message = wire.decode(_legacy(Instruction(OTHER, data, [])))
    assert message.instructions[0].data == data
    assert wire.encode(message) == _legacy(Instruction(OTHER, data, []))


@pytest.mark.parametrize("payload", ACCEPTED)
def test_every_cut_is_refused(payload: bytes) -> None:
    """No beginning of a message is a message."""
    for end in range(len(payload)):
        with pytest.raises(PayloadError):
            decode(TAG, payload[:end])


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_addresses_match_an_oracle(data: bytes) -> None:
    """Base 58, points of the curve and token accounts are as another implementation has them."""
    key = Pubkey(data)
    assert address.text(data) == str(key)
    assert address.parse(str(key)) == data
    assert address.is_on_curve(data) == key.is_on_curve()
    expected = bytes(_own_account(key, TOKEN_2022))
    assert address.token_account(data, bytes(TOKEN_2022), bytes(MINT)) == expected


def test_points_of_the_curve() -> None:
    """Encodings at the field's edge are judged as another implementation judges them."""
    for edge in (0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2**255 - 1, 2**255, 2**256 - 1):
        data = edge.to_bytes(32, "little")
        assert address.is_on_curve(data) == Pubkey(data).is_on_curve()
    for seed in range(64):
        data = hashlib.sha256(bytes((seed,))).digest()
        assert address.is_on_curve(data) == Pubkey(data).is_on_curve()


@settings(deadline=None)
@given(st.binary(max_size=120) | st.sampled_from(ACCEPTED), st.data())
def test_any_bytes(base: bytes, data: st.DataObject) -> None:
    """Any bytes give facts or the one error, and an oracle reads the same from them."""
    at = data.draw(st.integers(0, len(base)))
    cut = data.draw(st.integers(0, 2))
    payload = base[:at] + data.draw(st.binary(max_size=2)) + base[at + cut :]
    try:
        decoded = decode(TAG, payload)
    except PayloadError:
        return
    assert wire.encode(wire.decode(payload)) == payload
    versioned = payload[0] >= wire.VERSION_0
    message = MessageV0.from_bytes(payload[1:]) if versioned else Message.from_bytes(payload)
    assert str(message.recent_blockhash) == decoded.facts.nonce
