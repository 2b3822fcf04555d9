"""Signs by python-pkcs11; a program of its own, as it loads the module.

Run as ``with_python_pkcs11.py MODULE TOKEN PIN KEY COUNT``; prints for each signature
its length, or the name of the exception.
"""

import sys
from typing import cast

import pkcs11
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import SignMixin


def _sign(key: SignMixin) -> str:
    try:
        return str(len(key.sign(bytes(32), mechanism=pkcs11.Mechanism.ECDSA)))
    except PKCS11Error as error:
        return type(error).__name__


def main(module: str, token: str, pin: str, label: str, count: str) -> None:
    """Sign."""
    slots = pkcs11.lib(module).get_slots(token_present=True)
    tokens = [slot.get_token() for slot in slots]
    serials = [found.serial.decode() for found in tokens if found.label == token]
    with tokens[0].open(user_pin=pin) as session:
        key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=label)
        results = [_sign(cast("SignMixin", key)) for _ in range(int(count))]
    sys.stdout.write(" ".join([*serials, *results]))


if __name__ == "__main__":
    main(*sys.argv[1:])
