"""Objects are found with all their attributes, however many they are and whatever is secret."""

import pytest
from pkcs11 import Attribute, ObjectClass

from policy.algorithms import Algorithm
from signer.hsm import Token, keys
from signer.hsm.errors import Ckr, TokenError
from signer.hsm.handles import handle
from signer.hsm.names import KeyVersion
from signer.hsm.objects import BATCH, find

NAME = KeyVersion("wd-usdc", 1)


def test_more_than_one_answer(scratch: Token) -> None:
    """All that fit are found where the token gives their handles in several answers."""
    number = 2 * BATCH + 1
    with scratch.open() as session:
        for place in range(number):
            label = {Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: str(place)}
            session.create_object({**label, Attribute.TOKEN: False})
        found = find(
            scratch.cryptoki,
            handle(session),
            {Attribute.CLASS: ObjectClass.DATA},
            (Attribute.LABEL,),
        )
        assert {int(label) for _, (label,) in found} == set(range(number))


def test_what_the_token_keeps_to_itself(scratch: Token) -> None:
    """An attribute that is secret, or that the object has not, is empty; the others are told."""
    keys.generate(scratch, NAME, Algorithm.ECDSA_P256)
    wanted = (Attribute.VALUE, Attribute.MODULUS, Attribute.ID)
    with scratch.open() as session:
        template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
        ((_, values),) = find(scratch.cryptoki, handle(session), template, wanted)
    assert values == [b"", b"", NAME.id]


def test_a_search_that_fails(scratch: Token) -> None:
    """The token's code is told."""
    with pytest.raises(TokenError) as raised:
        list(find(scratch.cryptoki, 2**31, {}, ()))
    assert raised.value.code == Ckr.SESSION_HANDLE_INVALID


def test_a_search_ends(scratch: Token) -> None:
    """The session can be used as soon as objects were looked for."""
    keys.generate(scratch, NAME, Algorithm.ECDSA_P256)
    with scratch.open() as session:
        for _ in range(2):
            assert next(find(scratch.cryptoki, handle(session), {}, (Attribute.ID,)))
